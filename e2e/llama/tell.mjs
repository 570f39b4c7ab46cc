// Continues a prompt with llama.cpp, greedily: node tell.mjs MODEL PROMPT TOKENS. Prints JSON.
import process from 'node:process';
import { getLlama } from 'node-llama-cpp';

const [, , modelPath = '', prompt = '', count = '1'] = process.argv;
const llama = await getLlama({ gpu: false, build: 'never' });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({ contextSize: 256, threads: 1 });
const { bos } = model.tokens;
const ids = [...(bos === null ? [] : [bos]), ...model.tokenize(prompt)];
/** @type {import('node-llama-cpp').Token[]} */
const told = [];
const startMs = performance.now();
for await (const token of context.getSequence().evaluate(ids, { temperature: 0 })) {
  told.push(token);
  if (told.length === Number(count)) break;
}
const tokensPerSecond = (1000 * told.length) / (performance.now() - startMs);
console.log(JSON.stringify({ ids, told, text: model.detokenize(told), tokensPerSecond }));
process.exit(0);
