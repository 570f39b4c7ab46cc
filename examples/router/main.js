// node main.js [PROMPT] [gpu|cpu]: tells a story with a model whose routers are those of sparsemax.js.
import { resolve } from 'node:path';
import process from 'node:process';
import { AtomoeError, builtInFamily, createEngine } from 'atomoe';
import { nodeFolder } from 'atomoe/node';
import { sparsemax } from './sparsemax.js';

const [prompt = 'Once upon a time, there was a little', device = 'gpu'] = process.argv.slice(2);
const folder = resolve(import.meta.dirname, '../../demo/public/models/fable-moe-12m');

/** A sublayer of the model's spec, with the new router if it has one. */
function edit(sublayer) {
  const { block } = sublayer;
  if (block.kind !== 'moe') return sublayer;
  const score = { ...block.router.score, kind: 'sparsemax' };
  return { ...sublayer, block: { ...block, router: { ...block.router, score } } };
}

try {
  const family = await builtInFamily('qwen3_moe');
  const parse = (config, file) => {
    const spec = family.parse(config, file);
    return { ...spec, layers: spec.layers.map(({ sublayers }) => ({ sublayers: sublayers.map(edit) })) };
  };
  const families = [{ ...family, parse, blocks: { routers: [sparsemax] } }];
  const model = await nodeFolder(folder);
  const engine = await createEngine({ device, families, model, streaming: { slotsPerLayer: 8 } });
  process.stdout.write(prompt);
  for await (const event of engine.session().generate(prompt, { maxTokens: 40, temperature: 0 })) {
    if (event.kind === 'token') process.stdout.write(event.text);
  }
  process.stdout.write('\n');
  engine.dispose();
} catch (error) {
  if (!(error instanceof AtomoeError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
