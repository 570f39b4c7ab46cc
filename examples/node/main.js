// node main.js [PROMPT] [gpu|cpu]: tells a story with a model from the disk.
import { resolve } from 'node:path';
import process from 'node:process';
import { AtomoeError, createEngine } from 'atomoe';
import { nodeFolder } from 'atomoe/node';

const [prompt = 'Once upon a time, there was a little', device = 'gpu'] = process.argv.slice(2);
const folder = resolve(import.meta.dirname, '../../demo/public/models/fable-omni-8m');

try {
  const engine = await createEngine({ device, model: await nodeFolder(folder) });
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
