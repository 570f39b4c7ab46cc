/** What computes, in one line beside the model. */
import type { AdapterReport } from '../src/engine/api.ts';

/** Before the engine is asked: whether this browser has WebGPU at all. */
export function describeBrowser(): string {
  if (!isSecureContext) return 'WebGPU: only on secure pages';
  return navigator.gpu ? 'WebGPU: available' : 'WebGPU: not in this browser';
}

/** The device that an engine took, and why it is not another one. */
export function describeAdapter(adapter: AdapterReport): string {
  const yesNo = (is: boolean): string => (is ? 'yes' : 'no');
  const what = {
    gpu: `GPU: ${adapter.name || 'not named by the browser'} · WebGPU ok · f16 ${yesNo(adapter.f16)}`,
    cpu: `CPU: ${adapter.name}`,
    reference: 'CPU: plain TypeScript, correct but slow',
  }[adapter.device];
  return adapter.why === '' ? what : `${what} · ${adapter.why}`;
}
