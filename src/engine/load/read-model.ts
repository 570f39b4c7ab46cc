/** The model that a checkpoint's config describes, and what was made of it since. */
import { readModel, type Model, type ModelFamily } from '../../blocks/family.ts';
import type { ExpertLayer } from '../../blocks/read.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { AtomoeError } from '../../errors.ts';
import type { ExpertNumbers, LoadOptions } from '../api.ts';
import { fileTensors } from './checkpoint-check.ts';

/** The numbers that a model's experts had before some were left out or merged. @throws {AtomoeError} bad-file */
export async function numbersOf(
  checkpoint: Checkpoint,
  layers: readonly ExpertLayer[],
): Promise<ExpertNumbers | undefined> {
  if (!('atomoe' in checkpoint.config)) return undefined;
  const { readNumbers } = await import('./expert-numbers.ts');
  return readNumbers(
    checkpoint,
    layers.map(({ experts }) => experts),
  );
}

/**
 * The model, with routers of the caller's where there are any.
 *
 * @throws {AtomoeError} bad-file; unsupported-model; bad-input - of the caller's routers
 */
export async function readRouted(
  checkpoint: Checkpoint,
  families: readonly ModelFamily[],
  { routing, activations }: LoadOptions,
): Promise<Model> {
  const { config, label } = checkpoint;
  const read = await readModel(config, label, families, fileTensors(checkpoint));
  const model = 'atomoe' in config ? await reshaped(read, checkpoint) : read;
  if (!routing) return model;
  if (activations === 'f16') {
    throw new AtomoeError(
      'bad-input',
      'activations are f16 and routing is given; described routers run in f32, leave activations out',
    );
  }
  const { withRouting } = await import('./described-routing.ts');
  return withRouting(model, routing, checkpoint);
}

async function reshaped(model: Model, checkpoint: Checkpoint): Promise<Model> {
  const { withReshaping } = await import('./reshaped-model.ts');
  return withReshaping(model, checkpoint);
}
