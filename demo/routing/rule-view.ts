/** One of the two rules in the form: a rule of the list, or a description that is read while it is typed. */
import { element } from '../notices.ts';
import { readDescription } from './description.ts';
import type { Side } from './page.ts';
import { DESCRIBED, ruleOf, RULES, textOf, type Rule } from './rules.ts';

/** What is chosen on a side. */
export interface RuleChoice {
  readonly id: string;
  readonly text: string; // of the description
}

const HINT =
  'It is checked as you type. {layer} in the name of a tensor stands for the number of the layer; the routers of this model are model.layers.{layer}.mlp.gate.weight.';

export class RuleView {
  readonly #side: Side;
  readonly #seed: () => number;
  #listed: Rule | undefined; // with which a description begins
  #asked = 0;

  /** @param seed - of random rules, where one of them becomes a description */
  constructor(side: Side, seed: () => number) {
    this.#side = side;
    this.#seed = seed;
    const { select, json } = side;
    select.append(...RULES.map(({ id, name }) => new Option(name, id)));
    select.append(new Option('A description of your own', DESCRIBED));
    select.addEventListener('change', () => this.#choose());
    json.addEventListener('input', () => void this.read());
  }

  get choice(): RuleChoice {
    return { id: this.#side.select.value, text: this.#side.json.value };
  }

  show({ id, text }: RuleChoice): void {
    this.#side.select.value = id;
    this.#side.json.value = text;
    this.#choose();
  }

  /** The chosen rule; undefined while its description is wrong: what is wrong is shown. */
  async read(): Promise<Rule | undefined> {
    const { select, json } = this.#side;
    if (select.value !== DESCRIBED) return ruleOf(select.value);
    this.#asked += 1;
    const asked = this.#asked;
    const reading = await readDescription(json.value);
    if (asked === this.#asked) this.#say('problems' in reading ? reading.problems : []);
    return 'rule' in reading ? reading.rule : undefined;
  }

  focus(): void {
    this.#side.json.focus();
  }

  #choose(): void {
    const { select, does, own, json } = this.#side;
    const isOwn = select.value === DESCRIBED;
    const rule = ruleOf(select.value);
    this.#listed = rule ?? this.#listed;
    const paper = rule?.paper ? ` After “${rule.paper.title}”.` : '';
    does.textContent = isOwn ? HINT : `${rule?.does ?? ''}${paper}`;
    own.hidden = !isOwn;
    json.disabled = !isOwn; // what is hidden does not keep the form from being sent
    if (!isOwn) return;
    const first = this.#listed ?? RULES[0];
    if (json.value === '' && first) json.value = textOf(first, this.#seed());
    void this.read();
  }

  #say(problems: readonly string[]): void {
    const { json, problems: host } = this.#side;
    const [first = ''] = problems;
    json.setCustomValidity(first);
    json.setAttribute('aria-invalid', String(problems.length > 0));
    host.classList.toggle('wrong', problems.length > 0);
    host.replaceChildren(
      problems.length === 0
        ? element('p', '', 'The description is right.')
        : element('ul', '', ...problems.map((problem) => element('li', '', problem))),
    );
  }
}
