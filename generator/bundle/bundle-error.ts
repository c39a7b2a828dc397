/** A bundle that is not what it must be, or a place that must not be written to. Nothing was placed. */
export class BundleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BundleError";
  }
}
