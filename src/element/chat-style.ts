/** The style sheet of `<atomoe-chat>`: at home by default, the host's colours and type by custom properties and parts. */
import { lazyStyleSheet } from './dom.ts';

/** The style sheet of `<atomoe-chat>`. */
export const chatSheet = lazyStyleSheet(`
:host {
  --_text: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2));
  --_muted: var(--atomoe-muted, light-dark(#5f594f, #b3aa9b));
  --_surface: var(--atomoe-surface, light-dark(#fffdf9, #1c1915));
  --_line: var(--atomoe-line, light-dark(#8a8274, #7d7568));
  --_accent: var(--atomoe-accent, light-dark(#b3410b, #ffb84d));
  --_on-accent: var(--atomoe-on-accent, light-dark(#fffdf9, #1c1915));
  --_code: light-dark(#1f1c1712, #f0ebe217);
  --_radius: var(--atomoe-radius, 10px);
  display: flex; flex-direction: column; gap: 0.75em;
  box-sizing: border-box; min-height: 16em; height: 30em; max-width: 100%;
  padding: 0.9em; border: 1px solid var(--_line); border-radius: var(--_radius);
  color-scheme: light dark; color: var(--_text); background: var(--_surface);
  font: 1rem/1.5 var(--atomoe-font, system-ui, sans-serif);
}
:host([hidden]) { display: none; }
*, *::before { box-sizing: border-box; }
[hidden] { display: none !important; }
.log { position: relative; flex: 1; min-height: 4em; overflow-y: auto; overscroll-behavior: contain; margin: -4px; padding: 4px; border-radius: 4px; }
.log article { overflow-wrap: anywhere; white-space: pre-wrap; }
.log h4 { margin: 0; font-size: 0.8125em; font-weight: 600; color: var(--_muted); }
.log p { margin: 0; }
.prompt { color: var(--_muted); }
.turn { margin-block-end: 0.2em; }
.turn:has(h4).user article { width: fit-content; max-width: 100%; padding: 0.35em 0.75em 0.45em; background: var(--_code); border-radius: calc(var(--_radius) - 3px); }
.turn.left-out article { color: var(--_muted); }
.cut {
  display: flex; gap: 0.8em; align-items: center; margin-block: 0.2em 0.8em !important;
  font-size: 0.8125em; color: var(--_muted); text-align: center;
}
.cut::before, .cut::after { content: ''; flex: 1; min-width: 1em; border-top: 1px dashed var(--_line); }
.tools { display: contents; }
.all-tools { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.15em; min-height: 1.75em; margin-inline-start: -0.45em; opacity: 0; transition: opacity 0.12s; }
.turn:is(:hover, :focus-within, :last-child) .all-tools { opacity: 1; }
.figures { padding-inline: 0.45em; font-size: 0.8125em; color: var(--_muted); }
.figures button.small { font-size: 1em; padding-inline: 0.2em; text-decoration: underline dotted; text-underline-offset: 0.2em; }
.versions { display: inline-flex; align-items: center; font-size: 0.8125em; color: var(--_muted); font-variant-numeric: tabular-nums; }
.versions button.small { font-size: 1.2em; line-height: 1; }
.editor { flex-wrap: wrap; justify-content: end; margin-block-end: 0.9em; }
.editor textarea { flex: 1 0 100%; }
.thoughts, .call { margin: 0 0 0.4em; font-size: 0.875em; color: var(--_muted); }
summary { width: fit-content; padding: 0.15em 0; border-radius: 4px; cursor: pointer; }
.thoughts div { margin-block: 0.25em 0.6em; padding-inline-start: 0.8em; border-inline-start: 2px solid var(--_line); }
.call pre { margin: 0; overflow-x: auto; white-space: pre; }
.note { font-size: 0.875em; color: var(--_muted); }
.new-text { align-self: center; margin-top: -3em; z-index: 1; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.15em; margin: -0.3em -0.4em 0; }
.meter { display: flex; flex: 1 0 20em; align-items: center; gap: 0 0.6em; padding-inline-start: 0.4em; font-size: 0.8125em; color: var(--_muted); }
.meter progress { width: 4rem; min-width: 0; height: 0.35rem; }
.notice { display: grid; gap: 0.5em; justify-items: start; }
.notice p, .error p { margin: 0; }
.error { padding-inline-start: 0.7em; border-inline-start: 3px solid var(--_accent); }
progress { width: 100%; height: 0.5em; accent-color: var(--_accent); }
form { display: flex; gap: 0.5em; align-items: end; }
.field { flex: 1; }
textarea { display: block; min-height: 2.75em; max-height: 10em; resize: none; field-sizing: content; }
textarea, input {
  width: 100%;
  padding: 0.6em 0.75em; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--_line); border-radius: calc(var(--_radius) - 3px);
}
button {
  min-height: 2.75em; min-width: 2.75em; padding: 0.3em 1em; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--_on-accent); background: var(--_accent); border: 1px solid transparent; border-radius: calc(var(--_radius) - 3px);
}
button.small {
  min-width: 0; min-height: 1.85em; padding: 0.1em 0.45em; font-size: 0.8125em; font-weight: 500;
  color: var(--_muted); background: none; border: 0; border-radius: 4px;
}
button.small:hover { color: var(--_text); background: var(--_code); }
button.small[aria-disabled='true'] { opacity: 0.55; cursor: default; }
button.small[aria-expanded='true'] { color: var(--_text); background: var(--_code); }
@media (hover: none), (pointer: coarse) {
  .all-tools { opacity: 1; }
  button.small { min-height: 2.75em; padding-inline: 0.7em; }
  .figures button.small { min-height: 1.85em; }
}
@media (prefers-reduced-motion: reduce) { .all-tools { transition: none; } }
button.quiet { color: var(--_text); background: var(--_surface); border-color: var(--_line); }
button:disabled { opacity: 0.55; cursor: default; }
.stop[aria-disabled='true']:not(:focus) { display: none; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (forced-colors: active) { button { border-color: ButtonText; } }
`);
