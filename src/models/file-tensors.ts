/** What a checkpoint's headers hold, for families whose names depend on the tool that wrote the file. */
import { AtomoeError } from '../errors.ts';

/** The names and shapes of tensors that files hold, as families look at them. */
export interface FileTensors {
  readonly label: string;
  /** Every tensor that the file holds, and those that an index puts into a file that is missing. */
  names(): Iterable<string>;
  has(name: string): boolean;
}

/** The first of several spellings that the file has; the first of all where it has none. */
export function spelling<const T extends string>(
  file: FileTensors | undefined,
  names: readonly [T, ...T[]],
): T {
  return names.find((name) => file?.has(name)) ?? names[0];
}

/**
 * Refuses a config that has more or fewer layers than the file: before anything is built of this many layers, and
 * because a model without its last layers speaks nonsense.
 *
 * @param base - what comes before `layers.`
 * @throws {AtomoeError} bad-file
 */
export function checkLayerCount(file: FileTensors, base: string, layers: number): void {
  const start = `${base}layers.`;
  let found = 0;
  for (const name of file.names()) {
    if (!name.startsWith(start)) continue;
    const index = /^\d{1,9}(?=\.)/.exec(name.slice(start.length));
    if (index) found = Math.max(found, Number(index[0]) + 1);
  }
  if (found === layers) return;
  throw new AtomoeError(
    'bad-file',
    `${file.label} config.json: num_hidden_layers is ${layers}, the file has ${found} layers; wanted the same number; ` +
      'config.json and weights do not belong together',
  );
}
