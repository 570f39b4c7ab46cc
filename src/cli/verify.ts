import { AtomoeError } from '../errors.ts';
import type { Checkpoint } from '../containers/checkpoint.ts';
import { openSafetensors } from '../containers/safetensors/open.ts';
import type { DeviceKind } from '../engine/api.ts';
import { CPU_ADAPTER, simdAdapter } from '../engine/load/adapter-report.ts';
import { openDawn } from '../gpu/dawn.ts';
import { Gpu } from '../gpu/device.ts';
import type { FolderSource } from '../io/source.ts';
import { openKernels } from '../simd/modules.ts';
import type { Arguments } from './arguments.ts';
import { isGood, report, type Check } from './check.ts';
import type { Command } from './command.ts';
import { goldenName, readGolden } from './golden.ts';
import { DEVICE_OPTION, JSON_OPTION, openSource, readDevice, withModel } from './model.ts';
import type { Terminal } from './terminal.ts';
import { verifyLayer } from './verify-layer.ts';
import { verifyModel } from './verify-model.ts';

interface Findings {
  readonly device: string;
  readonly checks: readonly Check[];
}

/** Compares a model or a layer with the answers that are beside its weights. */
export const verify: Command = {
  name: 'verify',
  wants: ['PATH'],
  summary: "compare with golden.json, or a layer's expected.*",
  example: 'verify demo/public/models/fable-omni-8m --device cpu',
  options: { ...DEVICE_OPTION, ...JSON_OPTION },
  run: async (args, terminal) => {
    const folder = await openSource(args.place(0));
    const { device, checks } =
      (await asLayer(folder, args, terminal)) ?? (await asModel(folder, args, terminal));
    const isRight = checks.every(isGood);
    if (args.flag('json')) {
      const rows = checks.map((check) => ({ ...check, ok: isGood(check) }));
      terminal.write(`${JSON.stringify({ path: folder.label, device, ok: isRight, checks: rows })}\n`);
    } else {
      const failures = checks.filter((check) => !isGood(check)).length;
      const verdict = isRight
        ? `all ${checks.length} checks are good`
        : `${failures} of ${checks.length} checks FAILED`;
      terminal.write(`${folder.label} on ${device}\n\n${report(checks)}\n${verdict}\n`);
    }
    return isRight;
  },
};

/** @returns undefined for a folder: that is a model */
async function asLayer(
  folder: FolderSource,
  args: Arguments,
  terminal: Terminal,
): Promise<Findings | undefined> {
  const { entry } = folder;
  const isTensors = entry?.endsWith('.safetensors') ?? false;
  const file = isTensors ? await folder.open(entry ?? '', { signal: terminal.signal }) : undefined;
  if (!file) return undefined;
  const checkpoint = await openSafetensors(file, { signal: terminal.signal });
  try {
    const isLayer = [...checkpoint.names()].some((name) => name.startsWith('expected.'));
    if (!isLayer) return undefined;
    return await verifyLayerOn(readDevice(args) ?? 'auto', checkpoint);
  } finally {
    checkpoint.dispose();
  }
}

/** The GPU is the default where there is one. */
async function verifyLayerOn(device: DeviceKind, checkpoint: Checkpoint): Promise<Findings> {
  const { LAYER_KEY } = await import('../engine/load/described-file.ts');
  if (LAYER_KEY in checkpoint.metadata) return verifyDescribedOn(device, checkpoint);
  const { openGpuLayer, openReferenceLayer, openSimdLayer } = await import('../engine/run/layer-runner.ts');
  const gpu = device === 'auto' || device === 'gpu' ? await openGpu(device) : undefined;
  try {
    if (gpu) return await verifyLayer(checkpoint, (layer) => openGpuLayer(layer, gpu));
    const kernels = device === 'reference' ? undefined : await openKernels({ threads: 1 });
    return await verifyLayer(checkpoint, (layer) =>
      kernels && 'module' in kernels ? openSimdLayer(layer, kernels) : openReferenceLayer(layer),
    );
  } finally {
    gpu?.dispose();
  }
}

/** A described layer, on the same devices. */
async function verifyDescribedOn(device: DeviceKind, checkpoint: Checkpoint): Promise<Findings> {
  const { runDescribedOnCpu, runDescribedOnGpu } = await import('../engine/run/described-runner.ts');
  const { runDescribedOnSimd } = await import('../engine/run/described-simd.ts');
  const { verifyDescribed } = await import('./verify-described.ts');
  const gpu = device === 'auto' || device === 'gpu' ? await openGpu(device) : undefined;
  try {
    if (gpu)
      return {
        device: gpu.name,
        checks: await verifyDescribed(checkpoint, runDescribedOnGpu(gpu, checkpoint)),
      };
    const kernels = device === 'reference' ? undefined : await openKernels({ threads: 1 });
    if (!kernels || !('module' in kernels))
      return { device: CPU_ADAPTER.name, checks: await verifyDescribed(checkpoint, runDescribedOnCpu) };
    const run = runDescribedOnSimd(kernels, checkpoint);
    return { device: simdAdapter(kernels).name, checks: await verifyDescribed(checkpoint, run) };
  } finally {
    gpu?.dispose();
  }
}

async function openGpu(device: 'auto' | 'gpu'): Promise<Gpu | undefined> {
  try {
    return await Gpu.open({
      gpu: await openDawn('--device cpu'),
      features: ['subgroups'],
      limits: 'adapter',
    });
  } catch (error) {
    if (device === 'gpu') throw error;
    return undefined;
  }
}

async function asModel(folder: FolderSource, args: Arguments, terminal: Terminal): Promise<Findings> {
  const golden = await readGolden(folder, terminal.signal);
  if (!golden) {
    throw new AtomoeError(
      'bad-file',
      `${folder.label}: there is neither a ${goldenName(folder)} nor a layer file with expected.* tensors; wanted one; put the ` +
        'known answers beside the weights',
    );
  }
  return withModel(
    async () => folder,
    args,
    terminal,
    async (engine) => ({
      device: engine.adapter.name,
      checks: await verifyModel(engine, golden, terminal),
    }),
  );
}
