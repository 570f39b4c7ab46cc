import { AtomoeError } from '../errors.ts';
import type { LinkedShader } from './program.ts';

/** What the driver says against a program's WGSL, with file, line and reason. */
export async function shaderError(
  key: string,
  module: GPUShaderModule,
  linked: LinkedShader,
  cause: unknown,
): Promise<AtomoeError> {
  const { messages } = await module.getCompilationInfo();
  const lines = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, linePos, message }) => `${linked.locate(lineNum)}:${linePos} ${message}`);
  if (lines.length === 0) lines.push(cause instanceof Error ? cause.message : String(cause));
  return new AtomoeError('shader', `${key}: ${lines.join('\n')}; please report this adapter`, {
    cause,
  });
}
