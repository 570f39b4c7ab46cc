// The journey of an expert's bytes: the functions that are entered between a model's spec and a slot of GPU memory.
import { folderOf } from './picture.mjs';

/** @typedef {import('./modules.mjs').Module} Module */
/** @typedef {readonly [path: string, name: string]} Entered - a function, by its file and its name without `#` */
/** @typedef {{ folder: string, functions: string[] }} Stay - functions of one folder that follow one another */

/** @type {readonly (readonly Entered[])[]} in the order in which they are entered; each is called by one before it */
export const JOURNEY = [
  // Once for a model: from its spec to the layout of records.
  [
    ['engine/load/planning.ts', 'draftModel'],
    ['blocks/read.ts', 'expertLayers'],
    ['blocks/experts/gated.ts', 'parts'],
    ['experts/expert-plan.ts', 'planExperts'],
    ['experts/expert-plan.ts', 'formatsOfParts'],
    ['experts/expert-rows.ts', 'piecesOf'],
    ['experts/expert-rows.ts', 'rowsOf'],
    ['containers/matrices.ts', 'describeMatrix'],
    ['weights/matrix.ts', 'chooseFormat'],
    ['weights/record.ts', 'recordLayout'],
  ],
  // When a token needs an expert that is in no slot.
  [
    ['engine/run/streamed-steps.ts', 'verify'],
    ['experts/streamer.ts', 'demand'],
    ['experts/streamer.ts', 'load'],
    ['experts/streamer.ts', 'fetch'],
    ['experts/tiers.ts', 'read'],
    ['experts/tiers.ts', 'begin'],
    ['experts/tiers.ts', 'fetch'],
    ['experts/expert-plan.ts', 'read'],
    ['experts/expert-plan.ts', 'readPart'],
    ['experts/expert-rows.ts', 'rowsOf'],
    ['containers/matrices.ts', 'readMatrix'],
    ['containers/tensor-files.ts', 'read'],
    ['containers/tensor-files.ts', 'readTensor'],
    ['io/read.ts', 'readExactly'],
    ['weights/matrix.ts', 'encodeMatrix'],
    ['weights/record.ts', 'putPart'],
    ['experts/residency.ts', 'upload'],
    ['experts/store.ts', 'write'],
    ['gpu/device.ts', 'write'],
  ],
];

/**
 * @param {readonly (readonly Entered[])[]} journey
 * @returns {Stay[]}
 */
export function staysOf(journey) {
  /** @type {Stay[]} */
  const stays = [];
  for (const [path, name] of journey.flat()) {
    const folder = folderOf(path);
    const last = stays.at(-1);
    if (last?.folder === folder) last.functions.push(name);
    else stays.push({ folder, functions: [name] });
  }
  return stays;
}

/**
 * What the journey says that the code does not: functions that are not there, or that nothing before them calls.
 * @param {readonly (readonly Entered[])[]} journey
 * @param {ReadonlyMap<string, Module>} modules
 * @returns {string[]}
 */
export function wrongSteps(journey, modules) {
  return journey.flatMap((walk) =>
    walk.flatMap(([path, name], at) => {
      if (!modules.get(path)?.functions.has(name)) return [`src/${path} has no function ${name}`];
      const isCalled = walk.slice(0, at).some(([from, caller]) => {
        return modules.get(from)?.functions.get(caller)?.has(name);
      });
      return at === 0 || isCalled ? [] : [`nothing before it calls ${name} of src/${path}`];
    }),
  );
}
