/** A stretch of a text: shown, or a special token, which is no part of the text that is shown. */
export interface TextRun {
  readonly text: string;
  readonly isHidden: boolean;
}

/** The end of a text that is not settled yet, with the letters of special tokens among it. */
export class HeldText {
  #text = '';
  #isHidden: boolean[] = []; // of each letter

  get text(): string {
    return this.#text;
  }

  push(text: string, isHidden: boolean): void {
    this.#text += text;
    for (let i = 0; i < text.length; i++) this.#isHidden.push(isHidden);
  }

  /** Lets go of the first letters. */
  take(length: number): TextRun[] {
    const text = this.#text.slice(0, length);
    const isHidden = this.#isHidden.splice(0, length);
    this.#text = this.#text.slice(length);
    const runs: TextRun[] = [];
    for (let start = 0; start < text.length;) {
      const hides = isHidden[start] ?? false;
      const next = isHidden.indexOf(!hides, start);
      const end = next < 0 ? text.length : next;
      runs.push({ text: text.slice(start, end), isHidden: hides });
      start = end;
    }
    return runs;
  }
}

/** What is shown of some runs. */
export function shownText(runs: readonly TextRun[]): string {
  return runs.map(({ text, isHidden }) => (isHidden ? '' : text)).join('');
}
