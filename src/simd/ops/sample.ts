import { CANDIDATES, type RecordIo, type SampleIo } from '../../graph/ops/sample.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { SCRATCH_BYTES } from '../kernels.ts';
import type { SimdRun } from '../run.ts';

/** Marks the tokens of the step, and lowers the logits of all marked ones. */
export function penalty(
  run: SimdRun,
  { ids, logits, vocab, seen }: SampleIo & { readonly seen: Tensor },
): void {
  const { tokens, penalty: factor } = run.step;
  if (factor === 1) return;
  run.main.kernels.penalty(run.at(ids), tokens, run.at(seen), run.at(logits), vocab, factor);
}

/** The sampling record of one row of logits. */
export function sample(run: SimdRun, { logits, vocab, record }: RecordIo): void {
  const { main, step } = run;
  const scratch = run.scratch(main, SCRATCH_BYTES);
  const [logitsAt, recordAt] = [run.at(logits), run.at(record)];
  main.kernels.sample(logitsAt, vocab, CANDIDATES, 1 / step.temperature, recordAt, scratch);
}
