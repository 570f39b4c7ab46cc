import { JinjaError } from './errors.ts';
import { Callable, equals, orElse, Thing, Undefined, type Arguments, type Value } from './values.ts';

/** `loop` in the body of a loop. */
export class LoopContext extends Thing {
  readonly type = 'LoopContext';
  readonly #items: readonly Value[];
  readonly #depth: number;
  readonly #recurse: ((items: Value) => Value) | undefined;
  #index = -1;
  #changed: Arguments | undefined;

  constructor(items: readonly Value[], depth: number, recurse: ((items: Value) => Value) | undefined) {
    super();
    [this.#items, this.#depth, this.#recurse] = [items, depth, recurse];
  }

  step(): void {
    this.#index++;
  }

  attribute(name: string): Value | undefined {
    const [index, length] = [this.#index, this.#items.length];
    switch (name) {
      case 'index':
        return BigInt(index + 1);
      case 'index0':
        return BigInt(index);
      case 'revindex':
        return BigInt(length - index);
      case 'revindex0':
        return BigInt(length - index - 1);
      case 'first':
        return index === 0;
      case 'last':
        return index === length - 1;
      case 'length':
        return BigInt(length);
      case 'depth':
        return BigInt(this.#depth + 1);
      case 'depth0':
        return BigInt(this.#depth);
      case 'previtem':
        return orElse(this.#items[index - 1], () => new Undefined('there is no previous item'));
      case 'nextitem':
        return orElse(this.#items[index + 1], () => new Undefined('there is no next item'));
      case 'cycle':
        return new Callable(name, (args) => this.#cycle(args));
      case 'changed':
        return new Callable(name, (args) => this.#hasChanged(args));
      default:
        return undefined;
    }
  }

  override call(args: Arguments): Value {
    if (!this.#recurse) {
      throw new JinjaError("The loop must have the 'recursive' marker to be called recursively.");
    }
    const [items] = args;
    if (items === undefined) throw new JinjaError('loop() missing an argument: the items');
    return this.#recurse(items);
  }

  #cycle(args: Arguments): Value {
    if (args.length === 0) throw new JinjaError('no items for cycling given');
    return args[this.#index % args.length] ?? null;
  }

  #hasChanged(args: Arguments): boolean {
    const isSame = this.#changed !== undefined && equals(this.#changed, args);
    this.#changed = args;
    return !isSame;
  }
}
