/** Replies as Markdown, in a real browser: what is shown, what is loaded, and what is left alone while a text grows. */
import { describe, expect, test } from 'vitest';
import { withTexts } from './chat-texts.ts';
import { MarkdownBody } from './markdown.ts';

function shown(text: string): HTMLElement {
  const body = new MarkdownBody(withTexts({}));
  body.show(text);
  return body.element;
}

const REPLY = `## Title

A *first* paragraph with **bold**, ~~old~~ and \`code\`.

1. one
2. two
   - inner

- [x] done

| a | b |
|:--|--:|
| 1 | 2 |

> quoted

\`\`\`js
let a = 1;
\`\`\`

---

The end.`;

describe('Markdown', () => {
  test('the usual kinds', () => {
    const element = shown(REPLY);
    const tags = [...element.children].map((each) => each.tagName.toLowerCase());
    expect(tags).toEqual(['p', 'p', 'ol', 'ul', 'div', 'blockquote', 'div', 'hr', 'p']);
    expect(element.querySelector('[role=heading]')!.textContent).toBe('Title');
    expect(element.querySelector('p:nth-child(2)')!.innerHTML).toBe(
      'A <em>first</em> paragraph with <strong>bold</strong>, <del>old</del> and <code dir="ltr">code</code>.',
    );
    expect(element.querySelector('ol ul li')!.textContent).toBe('inner');
    expect(element.querySelector('ul:not(ol ul) li')!.textContent).toBe('☑ done');
    expect(element.querySelector('td.right')!.textContent).toBe('2');
    expect(element.querySelector('pre')!.textContent).toBe('let a = 1;');
    expect(element.querySelector('.code-head')!.textContent).toBe('jsCopy code');
  });

  test('grown by one character at a time it is the same, and finished blocks are not made again', () => {
    const body = new MarkdownBody(withTexts({}));
    let title: Element | null = null;
    for (let end = 1; end <= REPLY.length; end++) {
      body.show(REPLY.slice(0, end));
      if (end === 60) title = body.element.firstElementChild;
    }
    expect(body.element.innerHTML).toBe(shown(REPLY).innerHTML);
    expect(body.element.firstElementChild).toBe(title);
    expect(body.show(REPLY)).toBe(false);
    body.show('Other');
    expect(body.element.innerHTML).toBe('<p>Other</p>');
  });

  test('HTML is text, and entities are characters', () => {
    const text =
      'a <b onclick="x()">b</b> &amp;&lt;&#65;&#x42;&bogus;\n\n<script>alert(1)</script>\n\n<img src=x onerror=y>';
    const element = shown(text);
    expect(element.querySelector('b, script, img')).toBeNull();
    expect(element.textContent).toBe(
      'a <b onclick="x()">b</b> &<AB&bogus;<script>alert(1)</script><img src=x onerror=y>',
    );
  });

  test('links show where they lead, open apart, and lead to the web only', () => {
    const link = shown('[your bank](https://evil.test/x)');
    expect(link.textContent).toBe('your bank (https://evil.test/x)');
    const { href, rel, target } = link.querySelector('a')!;
    expect({ href, rel, target }).toEqual({
      href: 'https://evil.test/x',
      rel: 'noopener noreferrer nofollow',
      target: '_blank',
    });
    expect(shown('<https://example.org/a>').textContent).toBe('https://example.org/a');
    expect(shown('www.example.org').textContent).toBe('www.example.org');
    for (const address of [
      'javascript:alert(1)',
      'data:text/html,x',
      'blob:https://a/b',
      '/here',
      'JaVaScRiPt:x',
    ]) {
      const element = shown(`[l](${address})`);
      expect(element.querySelector('a'), address).toBeNull();
      expect(element.textContent, address).toContain(address.slice(-4).toLowerCase());
    }
  });

  test('images are links: nothing is loaded', () => {
    const element = shown('![a cat](https://example.org/cat.png) and ![b](data:image/png;base64,AAAA)');
    expect(element.querySelector('img, [src], [style], [srcset]')).toBeNull();
    expect(element.textContent).toContain('Image: a cat (https://example.org/cat.png)');
    expect(performance.getEntriesByType('resource').filter(({ name }) => name.includes('cat.png'))).toEqual(
      [],
    );
  });

  test('only elements and attributes that are known, whatever the text', () => {
    const hostile = [
      '[a](https://x/"onmouseover=alert(1))',
      '`<img src=x>`',
      '```"><script>\nx\n```',
      '| <svg onload=x> |\n|--|\n| <iframe> |',
      '# <style>*{}</style>',
      '1. <form action=x>\n\n[x]: javascript:alert(1)\n\n[x]',
      '***'.repeat(50) + '['.repeat(500) + '\n' + '> '.repeat(60) + 'x',
    ].join('\n\n');
    const element = shown(hostile);
    for (const each of element.querySelectorAll('*')) {
      expect(each.tagName).toMatch(
        /^(P|A|SPAN|CODE|PRE|DIV|BUTTON|TABLE|THEAD|TBODY|TR|TH|TD|OL|UL|LI|BLOCKQUOTE|EM|STRONG|DEL|HR|BR)$/,
      );
      for (const { name } of each.attributes) {
        expect(name).toMatch(/^(class|part|dir|href|rel|target|type|tabindex|role|aria-level|start)$/);
      }
    }
  });

  test('a long reply costs little per token', () => {
    const text = Array.from({ length: 300 }, (_, index) => `Paragraph ${index} with *some* words.\n\n`).join(
      '',
    );
    const body = new MarkdownBody(withTexts({}));
    body.show(text);
    const before = performance.now();
    for (let index = 0; index < 100; index++) body.show(`${text}more ${'words '.repeat(index)}`);
    expect((performance.now() - before) / 100).toBeLessThan(4);
  });
});
