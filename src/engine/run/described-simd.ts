/** Runs a described layer in WebAssembly: ops without a kernel there run by their references, in the same memory. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { plainStep } from '../../graph/node.ts';
import { SimdExecutor } from '../../simd/executor.ts';
import type { SimdModule } from '../../simd/memory.ts';
import { Scratch } from '../../simd/scratch.ts';
import { DenseWeights } from '../load/simd-load.ts';
import type { RunDescribed } from './described-runner.ts';

/** By the WebAssembly kernels. */
export function runDescribedOnSimd(module: SimdModule, checkpoint: Checkpoint): RunDescribed {
  return async ({ graph, outputs }, inputs, tokens) => {
    const dense = new DenseWeights(module);
    await dense.read(graph, { checkpoint }, () => {});
    const resources = {
      main: dense.main,
      contextTokens: tokens,
      int8: false,
      weight: dense.get.bind(dense),
      experts: undefined,
      scratch: new Scratch(),
    };
    const executor = new SimdExecutor(graph, resources, tokens);
    for (const [tensor, values] of inputs) executor.write(tensor, values);
    await executor.run(plainStep(tokens, 0), [], new Map());
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [
        name,
        tensor.type === 'u32' ? executor.words(tensor, tokens) : executor.floats(tensor, tokens),
      ]),
    );
  };
}
