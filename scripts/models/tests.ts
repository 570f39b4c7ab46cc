/** How families are tested, as the tests and their fixtures say. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ARCHITECTURE_NAMES } from '../../src/containers/gguf/architectures.ts';
import { openCheckpoint } from '../../src/containers/index.ts';
import { PLAIN_FAMILIES } from '../../src/engine/plain-families.testing.ts';
import { FIXTURE_FAMILIES, fixtureTolerance } from '../../src/engine/testing.ts';
import { nodeFolder } from '../../src/io/node-file.ts';

const root = resolve(import.meta.dirname, '../..');

/** Tests that run models of families, by the word that the table has for each. */
const TESTS = {
  logits: 'src/engine/fixtures.gpu.test.ts',
  hardware: 'src/engine/models.hardware.test.ts',
  f16: 'src/engine/models.f16.gpu.test.ts',
  GGUF: 'src/engine/gguf.gpu.test.ts',
} as const;

/** A test names the families that it runs, or runs all that have a fixture. */
function runs(testText: string, family: string): boolean {
  const hasFixture = FIXTURE_FAMILIES.some((name) => name === family);
  const isNamed = testText.includes(`'${family}'`) || testText.includes(`'${family}.gguf`);
  return isNamed || (hasFixture && testText.includes('FIXTURE_FAMILIES'));
}

/** The words for the tests of a family, in the order of the table, and a link to its own; none where nothing tests it. */
export function testsOf(family: string): string[] {
  const own = `src/engine/${family}.gpu.test.ts`;
  const words = Object.entries(TESTS)
    .filter(([, path]) => runs(readFileSync(resolve(root, path), 'utf8'), family))
    .map(([word]) => word);
  return [
    ...words.map((word) => (word === 'logits' ? `logits ${fixtureTolerance(family).toExponential()}` : word)),
    ...(Object.hasOwn(PLAIN_FAMILIES, family)
      ? ['[plain loops](../src/engine/plain-families.gpu.test.ts)']
      : []),
    ...(existsSync(resolve(root, own)) ? [`[own test](../${own})`] : []),
  ];
}

/** The architecture of a family's GGUF fixture or made-up file, or that of its own name; undefined where none is read. */
export async function ggufArchitectureOf(family: string): Promise<string | undefined> {
  const made = Object.hasOwn(PLAIN_FAMILIES, family) ? PLAIN_FAMILIES[family] : undefined;
  if (made) return made.gguf && String(made.gguf.metadata['general.architecture']);
  const path = resolve(root, `fixtures/gguf/${family}.gguf`);
  if (!existsSync(path)) return ARCHITECTURE_NAMES.find((name) => letters(name) === letters(family));
  const checkpoint = await openCheckpoint(await nodeFolder(path));
  checkpoint.dispose();
  return String(checkpoint.gguf?.get('general.architecture'));
}

const letters = (name: string) => name.replaceAll(/[^a-z0-9]/g, '');
