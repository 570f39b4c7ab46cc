// node main.js [PROMPT]: tells a story in which no three tokens come twice.
import { resolve } from 'node:path';
import process from 'node:process';
import { createEngine } from 'atomoe';
import { nodeFolder } from 'atomoe/node';
import { noRepeat } from './no-repeat.js';

const [prompt = 'Once upon a time, there was a little'] = process.argv.slice(2);
const folder = resolve(import.meta.dirname, '../../demo/public/models/fable-omni-8m');
const engine = await createEngine({ device: 'cpu', model: await nodeFolder(folder) });
const options = { maxTokens: 200, temperature: 0, decoding: noRepeat(3) };
process.stdout.write(prompt);
for await (const event of engine.session().generate(prompt, options)) {
  if (event.kind === 'token') process.stdout.write(event.text);
  if (event.kind === 'done')
    console.log(`\n${event.decoding.changed} tokens would have repeated what was said`);
}
engine.dispose();
