/** What a published model takes, from its config: by the engine's own plan, as if its headers had been read. */
import { draftHeaders } from '../../src/engine/headers-only.testing.ts';
import { sizeModel, type Drafted } from '../../src/engine/load/planning.ts';
import type { PublishedModel } from '../../src/engine/published-models.testing.ts';
import { DEFAULT_LIMITS, type AdapterFacts } from '../../src/gpu/device.ts';

/** A GPU of a desktop: bindings of 2 GiB, so that a layer's experts can all be there. */
const DESKTOP: AdapterFacts = {
  name: 'desktop',
  adapterClass: 'hardware',
  features: new Set(['subgroups']),
  limits: { ...DEFAULT_LIMITS, maxBindingBytes: 2 ** 31, maxBufferSizeBytes: 2 ** 31 },
};

/** The format of the sizes: 4.5 bits a weight, and rows of 32 weights, which all models have. */
const STORED = 'Q4_0';

/** Of a model with every matrix in Q4_0, unless its files have their experts in one form only. */
export interface PublishedSizes {
  readonly parameters: { readonly all: number; readonly active: number }; // active: with embedding and head
  readonly contextTokens: number; // of the cache
  readonly denseBytes: number; // all weights but routed experts
  readonly expertBytes: number; // one, of the layer whose experts are largest
  readonly tokenBytes: number; // the experts that one token uses, in all layers
  readonly routedBytes: number; // all experts
  readonly stateBytes: number; // KV cache and recurrent states
  readonly leastBytes: number; // the least budget that works
  readonly allBytes: number; // the budget that holds all experts
}

/** @throws {AtomoeError} the config is refused, or the model cannot be held whole on a desktop's GPU */
export async function sizesOf({ config, experts = STORED }: PublishedModel): Promise<PublishedSizes> {
  const options = { memoryBudget: Infinity };
  const drafted = await draftHeaders(config, options, { dense: STORED, experts });
  const { plan } = sizeModel(drafted, DESKTOP, options);
  if (!plan.fits || plan.streams) throw new Error(`${config.model_type} is not held whole: ${plan.why}`);
  const { bytes, contextTokens } = plan;
  return {
    parameters: parametersOf(drafted),
    contextTokens,
    denseBytes: bytes.dense,
    expertBytes: bytes.oneExpert,
    tokenBytes: bytes.perToken,
    routedBytes: bytes.allExperts,
    stateBytes: bytes.kvCache,
    leastBytes: bytes.least,
    allBytes: bytes.gpuTotal,
  };
}

function parametersOf({ checkpoint, expertLayers }: Drafted): PublishedSizes['parameters'] {
  const product = (shape: readonly number[]) => shape.reduce((elements, size) => elements * size, 1);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const all = sum([...checkpoint.names()].map((name) => product(checkpoint.tensor(name)?.shape ?? [])));
  const idle = sum(
    expertLayers.map(
      ({ experts, most, parts }) =>
        (experts - most) * sum(Object.values(parts).map(({ shape }) => product(shape))),
    ),
  );
  return { all, active: all - idle };
}
