/** `atomoe verify` of files with a layer description. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors } from '../containers/safetensors/open.ts';
import { runDescribedOnCpu } from '../engine/run/described-runner.ts';
import { memoryFile } from '../io/memory.ts';
import { isGood } from './check.ts';
import { verifyDescribed } from './verify-described.ts';

async function checksOf(bytes: Uint8Array<ArrayBuffer>) {
  const checkpoint = await openSafetensors(memoryFile('layer.safetensors', bytes));
  try {
    return await verifyDescribed(checkpoint, runDescribedOnCpu);
  } finally {
    checkpoint.dispose();
  }
}

const FILE = Uint8Array.from(readFileSync('fixtures/routing/softmax-top-k-renormalised.safetensors'));

test('the known answers of a description', async () => {
  const checks = await checksOf(FILE);
  expect(checks.map(({ name, unit }) => `${name} ${unit}`).sort()).toEqual([
    'ids wrong',
    'weights absolute',
    'y absolute',
  ]);
  expect(checks.filter((check) => !isGood(check))).toEqual([]);
});

/** The file with another text of the same length in its header. */
function changed(from: string, to: string): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(FILE).toString('latin1');
  expect(text).toContain(from);
  return Uint8Array.from(Buffer.from(text.replace(from, to), 'latin1'));
}

test('a layer that computes something else fails', async () => {
  const matrices = (gate: string, up: string) =>
    String.raw`\"gate\": \"experts.${gate}\", \"up\": \"experts.${up}\"`;
  const checks = await checksOf(changed(matrices('gate', 'up'), matrices('up', 'gate')));
  expect(checks.filter((check) => !isGood(check)).map(({ name }) => name)).toEqual(['y']);
});

test('a wrong description is refused by its path', async () => {
  await expect(checksOf(changed(String.raw`\"softmax\"`, String.raw`\"sofmaxx\"`))).rejects.toThrow(
    /^router\.transform\.0\.kind is "sofmaxx"/,
  );
});
