/** How strongly steered experts are steered: three choices, and a range for the soft one. */
import type { Page } from './page.ts';
import type { Steering } from './rules.ts';

type Controls = Pick<Page, 'steering' | 'strength' | 'strengthWords'>;

export function readSteering({ steering, strength }: Controls): Steering {
  const chosen = steering.querySelector('input:checked')?.getAttribute('value');
  if (chosen === 'soft') return strength.valueAsNumber;
  return chosen === 'off' ? 'off' : 'hard';
}

export function showSteering({ steering, strength, strengthWords }: Controls, now: Steering): void {
  const isSoft = typeof now === 'number';
  const chosen = steering.querySelector<HTMLInputElement>(`input[value=${isSoft ? 'soft' : now}]`);
  if (chosen) chosen.checked = true;
  strength.disabled = !isSoft;
  if (isSoft) strength.valueAsNumber = now;
  const value = strength.valueAsNumber;
  const words = `${value > 0 ? '+' : ''}${value}`.replace('-', '\u2212');
  strengthWords.textContent = isSoft ? words : 'not used';
  strength.setAttribute('aria-valuetext', `${words} standard deviations`);
}
