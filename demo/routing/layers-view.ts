/** The experts of a token in every layer: bars of the first rule above a line, of the second below it; rows choose a layer. */
import { element } from '../notices.ts';
import { describeChoice, type Chosen } from './compare.ts';
import { MODEL } from './rules.ts';

/** The choices of the two rules in a layer; undefined: the token was not read. */
export type Pair = readonly [readonly Chosen[] | undefined, readonly Chosen[] | undefined];

const SVG = 'http://www.w3.org/2000/svg';
const CELL = 8;
const HALF = 16;
const LEAST_BAR = 2; // a chosen expert is seen, whatever its weight

interface Row {
  readonly input: HTMLInputElement;
  readonly picture: SVGSVGElement;
  readonly cells: readonly HTMLTableCellElement[];
}

export class LayersView {
  readonly #rows: readonly Row[];

  /** @param table - takes the same in words */
  constructor(host: HTMLElement, table: HTMLTableSectionElement, onPick: (layer: number) => void) {
    this.#rows = Array.from({ length: MODEL.layers }, (_, layer) => {
      const input = element('input', '');
      input.type = 'radio';
      input.name = 'layer';
      input.addEventListener('change', () => onPick(layer));
      const picture = document.createElementNS(SVG, 'svg');
      picture.setAttribute('viewBox', `0 0 ${MODEL.experts * CELL} ${2 * HALF + 1}`);
      picture.setAttribute('preserveAspectRatio', 'none');
      picture.setAttribute('role', 'img');
      picture.addEventListener('click', () => input.click());
      host.append(element('label', '', input, ` Layer ${layer}`), picture);
      const cells = [element('td', ''), element('td', '')];
      const head = element('th', '', String(layer));
      head.scope = 'row';
      table.append(element('tr', '', head, ...cells));
      return { input, picture, cells };
    });
  }

  show(pairs: readonly Pair[], chosen: number): void {
    const most = Math.max(...pairs.flat().flatMap((each) => (each ?? []).map(({ weight }) => weight)), 1e-9);
    this.#rows.forEach(({ input, picture, cells }, layer) => {
      const pair = pairs[layer] ?? [undefined, undefined];
      const words = pair.map(describeChoice);
      input.checked = layer === chosen;
      picture.setAttribute('aria-label', `First rule: ${words[0]}. Second rule: ${words[1]}.`);
      picture.replaceChildren(...barsOf(pair, most));
      cells.forEach((cell, side) => (cell.textContent = (words[side] ?? '').replaceAll(' (', '\u00a0(')));
    });
  }
}

function barsOf(pair: Pair, most: number): SVGElement[] {
  const line = rect('axis', 0, HALF, MODEL.experts * CELL, 1);
  const bars = pair.flatMap((chosen, side) =>
    (chosen ?? []).map(({ expert, weight }) => {
      const height = Math.max(LEAST_BAR, (weight / most) * (HALF - 1));
      const y = side === 0 ? HALF - height : HALF + 1;
      return rect(side === 0 ? 'first' : 'second', expert * CELL + 1, y, CELL - 2, height);
    }),
  );
  return [line, ...bars];
}

function rect(className: string, x: number, y: number, width: number, height: number): SVGElement {
  const made = document.createElementNS(SVG, 'rect');
  made.setAttribute('class', className);
  for (const [name, value] of Object.entries({ x, y, width, height })) made.setAttribute(name, String(value));
  return made;
}
