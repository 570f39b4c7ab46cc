/** (i) The trained models under strategies of decoding, and the dense one carved into experts. Runs in Node. */
import type { PartResult } from '../report.ts';
import { carvingStudy } from './i-carving.ts';
import { decodingStudy } from './i-decoding.ts';

/** Runs the part. */
export async function trainedModels(): Promise<PartResult> {
  const decoding = await decodingStudy();
  const carving = await carvingStudy();
  return {
    markdown: `${decoding.markdown}\n\n${carving.markdown}`,
    results: { decoding: decoding.results, carving: carving.results },
  };
}
