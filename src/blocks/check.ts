/** Checks that the blocks of a spec support it, before a graph is built. */
import { AtomoeError } from '../errors.ts';
import { isMoe, type ModelSpec, type MoeSpec } from '../models/spec.ts';
import { checkQuads } from './check-sizes.ts';
import type { Blocks } from './table.ts';

/**
 * Checks a spec with the blocks that it names.
 *
 * @param label - of the model, for messages
 * @throws {AtomoeError} unsupported-model - an unsupported kind or size; bad-file - inconsistent sizes
 */
export function checkSpec(spec: ModelSpec, blocks: Blocks, label: string): void {
  checkQuads(label, 'hidden_size', spec.hidden);
  for (const { block } of spec.layers.flatMap(({ sublayers }) => sublayers)) {
    if (isMoe(block)) checkMoe(block, blocks, label);
    else blocks.mixer(block).check?.(block, label);
  }
}

function checkMoe({ experts, router, expert, shared }: MoeSpec, blocks: Blocks, label: string): void {
  const chosen = blocks.router(router);
  chosen.check?.(router, label, experts);
  blocks.expert(expert).check?.(expert, label);
  if (shared) checkQuads(label, "the shared expert's intermediate size", shared.width);
  const most = chosen.most(router);
  if (most <= experts) return;
  throw new AtomoeError(
    'bad-file',
    `${label} config.json: ${most} experts per token of ${experts}; wanted at most all of them; check config.json`,
  );
}
