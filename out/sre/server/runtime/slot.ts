/**
 * Marks a hole in a tool template: the generator writes the drawn value in place of the call.
 *
 * In the repository the call returns `sample`, so a template is an ordinary module that is type-checked
 * and unit-tested as it stands. Emitted modules contain no slot.
 */
export function slot<T>(_name: string, sample: T): T {
  return sample;
}

/**
 * A tool name that follows the link's prefix: `named("valkey_get")` is emitted as `"session_cache_get"`
 * for a second instance called `session_cache`.
 */
export function named(name: string): string {
  return name;
}
