// Draws the folders of src/ from their imports into ARCHITECTURE.md, with the journey of an expert's bytes through them.
// With --check it writes nothing. Fails where an arrow runs up, the journey is not what the code does, or the picture is
// not what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { JOURNEY, staysOf, wrongSteps } from './house/journey.mjs';
import { readModules } from './house/modules.mjs';
import { arrowsOf, drawMermaid, findCircle, listArrows } from './house/picture.mjs';

/** @typedef {import('./house/modules.mjs').Module} Module */

const root = resolve(import.meta.dirname, '..');
const path = resolve(root, 'ARCHITECTURE.md');
const begin = '<!-- Written by scripts/house.mjs from the imports: `npm run house` writes it again. -->\n';
const end = '<!-- End of what scripts/house.mjs writes. -->\n';

const modules = readModules(resolve(root, 'src'));
const arrows = arrowsOf(modules.values());
const circle = findCircle(arrows);
const faults = [
  ...(circle ? [`folders import one another in a circle: ${circle.join(' -> ')}`] : []),
  ...wrongSteps(JOURNEY, modules).map((fault) => `scripts/house/journey.mjs: ${fault}`),
];

function picture() {
  const stays = staysOf(JOURNEY);
  const rooms = new Set(stays.map(({ folder }) => folder));
  return `
Arrows point to the imported folder; arrows implied by others are omitted:

${drawMermaid(arrows)}

The path of an expert's bytes: functions in call order, first when a model is planned, then when a token needs an
expert that is not in GPU memory. ${stays.length} steps in ${rooms.size} folders:

${stays.map(({ folder, functions }, at) => `${at + 1}. \`${folder}\`: ${functions.join(', ')}`).join('\n')}

`;
}

if (faults.length === 0) {
  const text = readFileSync(path, 'utf8');
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  if (from < begin.length || to < from) throw new Error(`${path} has no place for the picture`);
  const wanted = text.slice(0, from) + picture() + text.slice(to);
  if (!process.argv.includes('--check')) {
    console.log(listArrows(arrows) + picture());
    writeFileSync(path, wanted);
  } else if (text !== wanted) {
    faults.push('the picture in ARCHITECTURE.md is not what the imports say: run npm run house');
  }
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
