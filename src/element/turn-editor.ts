/** The field in which a message is said in other words. Loaded when somebody edits. */
import type { ChatTexts } from './chat-texts.ts';
import { h, isPlainEnter } from './dom.ts';

/** A field with the text of a message. Enter saves, Escape cancels. */
export class TurnEditor {
  readonly element: HTMLFormElement;
  readonly #field: HTMLTextAreaElement;

  constructor(
    text: string,
    texts: ChatTexts,
    { save, cancel }: { save(text: string): void; cancel(): void },
  ) {
    const field = h('textarea', { rows: '1', 'aria-label': texts.editLabel, part: 'input', dir: 'auto' });
    field.value = text;
    const cancelButton = h('button', { type: 'button', class: 'quiet' }, texts.cancel);
    this.#field = field;
    this.element = h(
      'form',
      { class: 'editor' },
      field,
      cancelButton,
      h('button', { type: 'submit' }, texts.save),
    );
    const submit = (): void => {
      if (field.value.trim() === '') field.focus();
      else if (field.value === text) cancel();
      else save(field.value);
    };
    cancelButton.addEventListener('click', cancel);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      submit();
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing) {
        event.stopPropagation(); // it cancels this, and stops nothing
        cancel();
      }
      if (event.target === field && isPlainEnter(event)) {
        event.preventDefault();
        submit();
      }
    });
  }

  focus(): void {
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }
}
