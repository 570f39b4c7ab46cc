/** Two routing rules side by side: the form, the runs, and what is shown of them. Nothing is loaded before “Compare”. */
import { problemOf } from '../../src/element/state.ts';
import { describeProgress } from '../../src/element/format.ts';
import { LoadMeter } from '../../src/engine/load/load-meter.ts';
import { button, element, problemNotice } from '../notices.ts';
import { keepPage } from '../offline.ts';
import {
  chosenBy,
  expertsPerToken,
  firstDifference,
  markDifferences,
  nameToken,
  type Run,
} from './compare.ts';
import { ExpertsView } from './experts-view.ts';
import { LayersView, type Pair } from './layers-view.ts';
import { formatLink, parseLink, type Comparison } from './link.ts';
import { findPage } from './page.ts';
import { RuleView } from './rule-view.ts';
import {
  MODEL,
  optionsOf,
  scoringOptions,
  type Changes,
  type Edit,
  type Rule,
  type Steering,
} from './rules.ts';
import { Runner, type Listener, type Task } from './runner.ts';
import { readSteering, showSteering } from './steering-view.ts';
import { TextView } from './text-view.ts';

const page = findPage();
const runner = new Runner();
const texts = page.rules.map(({ text }) => new TextView(text, chooseToken));
const layers = new LayersView(page.layers, page.layersWords, chooseLayer);
const experts = new ExpertsView(page.expertsBody, page.score, toggle);
const sides = page.rules.map((side) => new RuleView(side, () => page.seed.valueAsNumber));
let now = parseLink(location.hash);
let shown:
  | { readonly of: Comparison; readonly rules: readonly [Rule, Rule]; readonly runs: readonly [Run, Run] }
  | undefined;
let scored: { readonly key: string; readonly runs: readonly [Run, Run] } | undefined; // with every expert in a layer
let task: AbortController | undefined;
let settled: Promise<void> = Promise.resolve(); // when the task before has let go of the engine

/** Both rules; undefined where a description is wrong, which then has the focus. */
async function readRules(): Promise<readonly [Rule, Rule] | undefined> {
  const [first, second] = await Promise.all(sides.map((side) => side.read()));
  if (first && second) return [first, second];
  sides[first ? 1 : 0]?.focus();
  page.status.textContent = `The description of the ${first ? 'second' : 'first'} rule is not right yet.`;
  return undefined;
}

function changesOf({ edits, steering, seed }: Comparison, side: 0 | 1): Changes {
  return { edits: side === 0 ? [] : edits, steering, seed };
}

/** The tasks of the two sides; edits are the second's. */
function tasksOf(comparison: Comparison, [first, second]: readonly [Rule, Rule]): readonly [Task, Task] {
  const { text, length, temperature, seed } = comparison;
  const common = { text, length, temperature, seed };
  return [
    { ...common, options: optionsOf(first, changesOf(comparison, 0)) },
    { ...common, options: optionsOf(second, changesOf(comparison, 1)) },
  ];
}

async function compare(): Promise<void> {
  readForm();
  showLink();
  const rules = await readRules();
  if (!rules) return;
  await attempt(async (listen) => {
    const wanted = now;
    const [a, b] = tasksOf(wanted, rules);
    const runs = [
      await runner.run(a, listen('first text')),
      await runner.run(b, listen('second text')),
    ] as const;
    shown = { of: wanted, rules, runs };
    show();
    page.status.textContent = 'Both texts are written.';
    if (now.scores) await score(listen);
  });
}

/** Runs both texts under their rules with every expert in the chosen layer, for their scores. */
async function score(listen: (what: string) => Listener): Promise<void> {
  if (!shown) return;
  const { of, rules, runs } = shown;
  const { layer } = now;
  const key = scoresKey();
  const [first, second] = rules;
  const probe = (rule: Rule, side: 0 | 1, run: Run, what: string): Promise<Run> => {
    const text = run.tokens.map((token) => token.text).join('');
    const options = scoringOptions(rule, changesOf(of, side), layer);
    return runner.run({ text, length: 1, temperature: 0, seed: 0, options }, listen(what));
  };
  scored = {
    key,
    runs: [
      await probe(first, 0, runs[0], 'scores of the first rule'),
      await probe(second, 1, runs[1], 'scores of the second rule'),
    ],
  };
  showToken();
  page.status.textContent = 'The scores are in the table.';
}

/** By expert; undefined where the text was read as other tokens than those it was written as. */
function scoresOf(probed: Run, run: Run): readonly number[] | undefined {
  const token = tokenIndex();
  const isSame = run.tokens
    .slice(0, token + 1)
    .every(({ text }, index) => probed.tokens[index]?.text === text);
  const chosen = isSame ? chosenBy(probed, token, now.layer) : undefined;
  if (!chosen) return undefined;
  const values = Array.from({ length: MODEL.experts }, () => 0);
  for (const { expert, weight } of chosen) values[expert] = weight;
  return values;
}

/** Scores are those of a layer of a comparison. */
function scoresKey(): string {
  return JSON.stringify([shown?.of, now.layer]);
}

/** One task at a time, that Stop ends; what goes wrong is said in the form. */
async function attempt(run: (listen: (what: string) => Listener) => Promise<void>): Promise<void> {
  task?.abort();
  const own = (task = new AbortController());
  const { signal } = own;
  const before = settled;
  let release = (): void => {};
  settled = new Promise((done) => (release = done));
  setBusy(true);
  page.notice.replaceChildren();
  try {
    await before;
    signal.throwIfAborted();
    await run((what) => listenerOf(what, signal));
  } catch (error) {
    if (!signal.aborted) fail(error);
    else if (task === own) page.status.textContent = 'Stopped.';
  } finally {
    release();
    if (task === own) {
      task = undefined;
      setBusy(false);
    }
  }
}

function listenerOf(what: string, signal: AbortSignal): Listener {
  const bar = element('progress', '');
  bar.max = 1;
  bar.setAttribute('aria-label', `Progress of the ${what}`);
  const line = element('p', 'quiet');
  const say = (text: string, fraction: number | undefined): void => {
    if (signal.aborted) return;
    if (!bar.isConnected) page.notice.replaceChildren(line, bar);
    line.textContent = text;
    if (fraction === undefined) bar.removeAttribute('value');
    else bar.value = fraction;
  };
  page.status.textContent = `Working on the ${what}…`;
  const meter = new LoadMeter(
    () => performance.now(),
    (load) => {
      const { text, fraction } = describeProgress(load);
      say(`The ${what}. ${text}`, fraction);
    },
  );
  return {
    signal,
    onLoad: (progress) => meter.hear(progress),
    onToken: (tokens) => say(`The ${what}: ${tokens} tokens`, undefined),
  };
}

function setBusy(isBusy: boolean): void {
  page.stop.hidden = !isBusy;
  page.result.setAttribute('aria-busy', String(isBusy));
  if (!isBusy && !page.notice.querySelector('.problem')) page.notice.replaceChildren();
}

function fail(error: unknown): void {
  runner.release();
  page.status.textContent = '';
  const again = button('Try again', () => void compare(), 'quiet-button');
  page.notice.replaceChildren(problemNotice(problemOf(error), [again]));
}

function readForm(): void {
  const [a, b] = sides.map(({ choice }) => choice);
  now = {
    ...now,
    text: page.text.value,
    a: a?.id ?? now.a,
    b: b?.id ?? now.b,
    textA: a?.text ?? now.textA,
    textB: b?.text ?? now.textB,
    length: page.length.valueAsNumber,
    temperature: page.temperature.valueAsNumber,
    seed: page.seed.valueAsNumber,
  };
}

function fillForm(): void {
  page.text.value = now.text;
  page.length.valueAsNumber = now.length;
  page.temperature.valueAsNumber = now.temperature;
  page.seed.valueAsNumber = now.seed;
  sides[0]?.show({ id: now.a, text: now.textA });
  sides[1]?.show({ id: now.b, text: now.textB });
  showSteering(page, now.steering);
  showEdits();
}

/** Mutes or steers an expert of the chosen layer in the second rule, or undoes it, and writes the second text again. */
function toggle(expert: number, kind: Edit['kind'], layer = now.layer): void {
  const isHere = (edit: Edit) => edit.expert === expert && edit.layer === layer;
  const isOn = now.edits.some((edit) => isHere(edit) && edit.kind === kind);
  const others = now.edits.filter((edit) => !isHere(edit));
  change({ edits: isOn ? others : [...others, { layer, expert, kind }] });
}

/** How strongly experts are steered; without any nothing is to be written again. */
function steer(steering: Steering): void {
  if (steering !== now.steering)
    change(
      { steering },
      now.edits.some(({ kind }) => kind === 'steer'),
    );
}

/** Changes the second rule, and writes its text again. */
function change(changed: Partial<Pick<Comparison, 'edits' | 'steering'>>, isSeen = true): void {
  now = { ...now, ...changed };
  showSteering(page, now.steering);
  showEdits();
  if (!shown || !isSeen) return showLink();
  showToken();
  void compare();
}

/** What is done to an expert, in words. */
function wordOf(kind: Edit['kind']): string {
  if (kind === 'mute') return 'muted';
  const { steering } = now;
  if (typeof steering === 'number') return `steered by ${steering}`;
  return steering === 'off' ? 'steered, but off' : 'steered hard';
}

function showEdits(): void {
  page.edits.hidden = now.edits.length === 0;
  page.editsList.replaceChildren(
    ...now.edits.map(({ layer, expert, kind }) => {
      const words = `Layer ${layer}, expert ${expert}: ${wordOf(kind)}`;
      const undo = button(
        words,
        () => {
          toggle(expert, kind, layer);
          page.go.focus(); // the button is gone
        },
        'quiet-button',
      );
      return element('li', '', undo);
    }),
  );
}

function chooseToken(token: number): void {
  update({ token: Math.min(token, Number(page.token.max)) });
}

function chooseLayer(layer: number): void {
  update({ layer });
  if (now.scores) void attempt(score);
}

function toggleScores(): void {
  update({ scores: !now.scores });
  if (now.scores) void attempt(score);
}

/** Shows something else of the same texts. */
function update(change: Partial<Pick<Comparison, 'token' | 'layer' | 'scores'>>): void {
  now = { ...now, ...change };
  showToken();
  showLink();
}

/** The chosen token, or the last one of the visitor's text. */
function tokenIndex(): number {
  if (!shown) return now.token ?? 0;
  const [first, second] = shown.runs;
  const last = Math.max(first.routes.length, second.routes.length) - 1;
  const lastRead = first.tokens.filter(({ isPrompt }) => isPrompt).length - 1;
  return Math.min(now.token ?? lastRead, last);
}

function show(): void {
  if (!shown) return;
  const { rules, runs } = shown;
  page.result.hidden = false;
  rules.forEach((rule, side) => {
    const { name, figures } = page.rules[side === 0 ? 0 : 1];
    const [run, other] = side === 0 ? runs : [runs[1], runs[0]];
    const edited = side === 1 && now.edits.length > 0;
    name.textContent = `${side === 0 ? 'First' : 'Second'}: ${rule.name}${edited ? ', changed' : ''}`;
    figures.textContent = `${expertsPerToken(run).toFixed(1)} experts in a layer, on average`;
    texts[side]?.show(run, markDifferences(run, other).isDifferent);
  });
  page.difference.textContent = describeDifference(runs);
  page.token.max = String(Math.max(...runs.map(({ routes }) => routes.length)) - 1);
  showToken();
}

function describeDifference([first, second]: readonly [Run, Run]): string {
  const { words, of } = markDifferences(second, first);
  if (firstDifference(first, second) === undefined) return 'Both texts are the same.';
  const are = words === 1 ? 'word of the second text differs' : 'words of the second text differ';
  return `${words} of ${of} ${are} from the first; ${words === 1 ? 'it is' : 'they are'} underlined.`;
}

function showToken(): void {
  if (!shown) return;
  const { runs } = shown;
  const token = tokenIndex();
  const [first, second] = runs.map(({ tokens }) => nameToken(tokens[token]?.text));
  const parted = firstDifference(...runs);
  const isSame = parted === undefined || token < parted;
  page.token.value = String(token);
  const words = isSame ? `${token}: ${first}` : `${token}: ${first} and ${second}`;
  page.tokenName.textContent = words;
  page.token.setAttribute('aria-valuetext', words);
  page.tokenNote.textContent = isSame
    ? 'Both rules have read the same text up to here.'
    : 'The texts have parted before this token: the rules have read different words.';
  texts.forEach((text) => text.mark(token));
  const pairs = Array.from({ length: MODEL.layers }, (_, layer): Pair => {
    return [chosenBy(runs[0], token, layer), chosenBy(runs[1], token, layer)];
  });
  layers.show(pairs, now.layer);
  showExperts(pairs[now.layer] ?? [undefined, undefined], isSame ? (first ?? '') : `${first} and ${second}`);
}

function showExperts(pair: Pair, token: string): void {
  page.expertsTitle.textContent = `Layer ${now.layer}, token ${token}`;
  const isKnown = now.scores && scored !== undefined && scored.key === scoresKey();
  const scores =
    isKnown && scored && shown
      ? ([scoresOf(scored.runs[0], shown.runs[0]), scoresOf(scored.runs[1], shown.runs[1])] as const)
      : undefined;
  const edits = now.edits.filter(({ layer }) => layer === now.layer);
  experts.show(pair, edits, scores);
  page.expertsNone.hidden = page.expertsBody.rows.length > 0;
  page.score.setAttribute('aria-pressed', String(now.scores));
}

function showLink(): void {
  history.replaceState(null, '', `${location.pathname}${location.search}${formatLink(now)}`);
  page.link.value = location.href;
  page.copied.textContent = '';
}

async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(page.link.value);
    page.copied.textContent = 'Copied.';
  } catch {
    page.link.select();
    page.copied.textContent = 'The browser does not let the page copy; the link is selected.';
  }
}

function open(): void {
  keepPage();
  fillForm();
  page.link.value = location.href;
  page.form.addEventListener('submit', (event) => {
    event.preventDefault();
    void compare();
  });
  page.stop.addEventListener('click', () => {
    task?.abort();
    page.go.focus();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) task?.abort();
  });
  page.token.addEventListener('input', () => chooseToken(page.token.valueAsNumber));
  page.score.addEventListener('click', toggleScores);
  page.steering.addEventListener('input', () => showSteering(page, readSteering(page)));
  page.steering.addEventListener('change', () => steer(readSteering(page)));
  page.copy.addEventListener('click', () => void copyLink());
  addEventListener('hashchange', () => {
    task?.abort();
    shown = undefined;
    page.result.hidden = true;
    now = parseLink(location.hash);
    fillForm();
    page.status.textContent = 'Press “Compare” for what the link says.';
  });
}

open();
