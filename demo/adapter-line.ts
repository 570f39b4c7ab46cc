/** What computes, in one line beside the model. */
import type { AdapterReport } from '../src/engine/api.ts';

/** Before the engine is asked: whether this browser has WebGPU at all. */
export function describeBrowser(): string {
  if (!isSecureContext) return 'WebGPU: only on secure pages';
  return navigator.gpu ? 'WebGPU: available' : 'WebGPU: not in this browser';
}

/** When an engine was asked and found none. */
export function describeNone(): string {
  return isSecureContext ? 'WebGPU: not in this browser' : describeBrowser();
}

/** The device that an engine took, and why it is not another one. */
export function describeAdapter(adapter: AdapterReport): string {
  const yesNo = (is: boolean): string => (is ? 'yes' : 'no');
  const what = {
    gpu: `GPU: ${adapter.name || 'not named by the browser'} · WebGPU ok · f16 ${yesNo(adapter.f16)}`,
    cpu: `CPU: ${adapter.name}`,
    reference: 'CPU: plain TypeScript, correct but slow',
  }[adapter.device];
  const why = describeReason(adapter.why);
  return why === '' ? what : `${what} · ${why}`;
}

/** Why it is this device, in a few of a visitor's words; the engine's own sentence is in the report. */
function describeReason(why: string): string {
  const [, fast, many, slow] = /^the (GPU|CPU).* was ([\d.]+) times as fast as the (GPU|CPU)/.exec(why) ?? [];
  if (fast) return `${many} × as fast here as the ${slow}`;
  if (why.includes('has no WebGPU')) return 'no WebGPU in this browser';
  if (why.includes('requires a secure page')) return 'WebGPU is only on secure pages';
  if (why.includes('offers no adapter')) return 'WebGPU finds no graphics card';
  if (why.endsWith('is a program on the CPU')) return 'the GPU here is a program on the CPU';
  if (why.includes('nothing was measured')) return 'not compared with the CPU';
  return why;
}
