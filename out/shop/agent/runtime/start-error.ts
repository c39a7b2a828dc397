/** A reason not to start, told to the operator as it stands: no stack, no secret, and what to do. */
export class StartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StartError";
  }
}
