/** What repack.mjs measures, built as one file. */
import { BLOCK_DTYPES, isBlockDtype } from '../src/weights/dtypes.ts';
import { loadFormats, weightFormat } from '../src/weights/formats/index.ts';

/** Formats of files, those first that are unpacked. */
export const formatNames: readonly string[] = [
  ...['iq1_s', 'iq1_m', 'iq2_xxs', 'iq2_xs', 'iq2_s', 'iq3_xxs', 'iq3_s'],
  ...['nvfp4', 'mxfp4', 'q4_k', 'q6_k', 'q8_0'],
];

await loadFormats(formatNames);

/** A format with what repacks it, and the sizes of its blocks. */
export function formatOf(name: string) {
  const dtype = name.toUpperCase();
  const { planes, repack } = weightFormat(name);
  if (!repack || !isBlockDtype(dtype)) throw new Error(`no file has ${name}`);
  return { planes, repack, ...BLOCK_DTYPES[dtype] };
}
