import { allowLetters, spendLetters } from './budget.ts';
import { orElse, Undefined, type Value } from './values.ts';

/** Names as a template sees them: a loop, a macro and the like open a scope, `if` does not. */
export class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | ReadonlyMap<string, Value>;

  constructor(outer: Scope | ReadonlyMap<string, Value>) {
    this.#outer = outer;
  }

  set(name: string, value: Value): void {
    this.#names.set(name, value);
  }

  get(name: string): Value {
    const value = this.#names.get(name);
    if (value !== undefined) return value;
    const outer = this.#outer;
    if (outer instanceof Scope) return outer.get(name);
    return orElse(outer.get(name), () => new Undefined(`'${name}' is undefined`));
  }
}

/** The text that is made. */
export class Output {
  readonly #parts: string[] = [];
  #length = 0;

  write(text: string): void {
    this.#length += text.length;
    allowLetters(this.#length);
    spendLetters(text.length);
    this.#parts.push(text);
  }

  get text(): string {
    return this.#parts.join('');
  }
}
