/** The style of what `<atomoe-chat>` loads when it is first needed: Markdown and panels. */
import { lazyStyleSheet } from './dom.ts';

/** The second style sheet of `<atomoe-chat>`, on the custom properties of the first. */
export const richSheet = lazyStyleSheet(`
.panel { flex: 1; min-height: 4em; overflow-y: auto; overscroll-behavior: contain; margin: -4px; padding: 4px; }
.presets { display: flex; flex-wrap: wrap; gap: 0.4em; margin-block-end: 0.9em; }
.presets button[aria-pressed='true'] { color: var(--_on-accent); background: var(--_accent); }
.settings { display: grid; grid-template-columns: repeat(auto-fill, minmax(14em, 1fr)); gap: 0.9em 1.2em; margin-block-end: 0.9em; }
.setting label { display: block; font-size: 0.875em; font-weight: 600; }
.hint { margin: 0.2em 0 0; font-size: 0.8125em; color: var(--_muted); }
.history-head { display: flex; flex-wrap: wrap; align-items: center; gap: 0.3em; }
.history-head input { flex: 1 1 9em; }
.conversations { display: grid; gap: 0.1em; margin: 0.5em 0 0; padding: 0; list-style: none; }
.conversations li { display: flex; align-items: center; border-block-start: 1px solid var(--_code); }
.conversation {
  display: flex; flex: 1; flex-wrap: wrap; justify-content: space-between; gap: 0 1em; min-width: 0; padding: 0.5em;
  font-weight: 400; text-align: start; color: var(--_text); background: none; border: 0;
}
.conversation:hover { background: var(--_code); }
.conversation[aria-current] .title { font-weight: 600; }
.conversation time { font-size: 0.8125em; color: var(--_muted); }
.title { min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.markdown { white-space: normal; }
.markdown > * + *, .markdown li > * + *, blockquote > * + * { margin-block-start: 0.6em !important; }
.markdown :is(ul, ol) { margin-block: 0; padding-inline-start: 1.6em; }
.markdown li + li { margin-block-start: 0.25em; }
.heading { font-weight: 700; }
blockquote { margin: 0; padding-inline-start: 0.8em; border-inline-start: 3px solid var(--_line); color: var(--_muted); }
hr { border: 0; border-block-start: 1px solid var(--_line); }
a { color: var(--_accent); }
.target { font-size: 0.8125em; color: var(--_muted); }
::placeholder { color: var(--_muted); opacity: 1; }
code { font: 0.875em/1.45 ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace; }
:not(pre) > code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--_code); }
pre { margin: 0; padding: 0.6em 0.8em; overflow-x: auto; white-space: pre; overflow-wrap: normal; background: var(--_code); border-radius: 6px; }
.code { border-radius: 6px; background: var(--_code); }
.code-head button.small { font-size: 1em; }
.code-head { display: flex; justify-content: space-between; align-items: center; padding-inline: 0.8em 0.2em; font-size: 0.8125em; color: var(--_muted); }
.code pre { padding-block-start: 0.1em; background: none; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25em 0.7em; text-align: start; border-block-end: 1px solid var(--_line); }
.right { text-align: end; }
.center { text-align: center; }
`);
