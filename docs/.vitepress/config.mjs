// The site: one folder of Markdown, searched in the page, with no request to anybody else.
import process from 'node:process';
import { defineConfig } from 'vitepress';
import { linkToSources, renamed } from './sources.mjs';

const guide = [
  { text: 'Start in a minute', link: '/start' },
  { text: 'Which files load', link: '/files' },
  { text: 'Table of models', link: '/models' },
  { text: 'Hosting weights', link: '/hosting' },
  { text: 'Streaming and budgets', link: '/streaming' },
];
const pages = [
  { text: 'Workers, policies, bundlers', link: '/pages' },
  { text: 'The chat element', link: '/element' },
  { text: 'Frameworks', link: '/frameworks' },
  { text: 'Node and servers', link: '/node' },
  { text: 'OpenAI, AI SDK, LangChain', link: '/clients' },
  { text: 'Replies: options and formats', link: '/replies' },
  { text: 'Sessions, and texts as tokens', link: '/sessions' },
  { text: 'JSON, forced calls, penalties', link: '/constraints' },
  { text: 'Calls of tools', link: '/tools' },
];
const research = [
  { text: 'Routing research', link: '/research' },
  { text: 'Routing as data', link: '/routing' },
  { text: 'Decoding strategies', link: '/decoding' },
  { text: 'Gallery of papers', link: '/papers' },
];
const inside = [
  { text: 'Architecture', link: '/architecture' },
  { text: 'Kernels', link: '/kernels' },
  { text: 'Errors', link: '/errors' },
  { text: 'Privacy', link: '/privacy' },
  { text: 'Measuring', link: '/measuring' },
  { text: 'Beside others', link: '/peers' },
];
const reference = [
  { text: 'atomoe', link: '/api/atomoe' },
  { text: 'atomoe/node', link: '/api/node' },
  { text: 'atomoe/ai-sdk', link: '/api/ai-sdk' },
  { text: 'atomoe/openai', link: '/api/openai' },
  { text: 'atomoe/service-worker', link: '/api/service-worker' },
  { text: 'atomoe/element', link: '/api/element' },
  { text: 'atomoe/react', link: '/api/react' },
  { text: 'atomoe/vue', link: '/api/vue' },
  { text: 'atomoe/svelte', link: '/api/svelte' },
  { text: 'atomoe/ops', link: '/api/ops' },
  { text: 'Command line', link: '/command-line' },
];

export default defineConfig({
  title: 'Atomoe',
  description: 'Mixture-of-Experts language models in a browser tab, on WebGPU.',
  lang: 'en',
  // Where the site is served: below the demo, unless the publisher says otherwise.
  base: process.env['ATOMOE_DOCS_BASE'] ?? '/docs/',
  outDir: process.env['ATOMOE_DOCS_OUT'] ?? '../dist/docs',
  cacheDir: 'node_modules/.vitepress',
  srcExclude: ['README.md', '**/node_modules/**'],
  rewrites: renamed,
  lastUpdated: false,
  metaChunk: true,
  markdown: {
    languageAlias: { caddy: 'nginx' },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: (md) => linkToSources(md, process.env['ATOMOE_SOURCES_URL']),
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Guide', link: '/start' },
      { text: 'API', link: '/api/atomoe' },
      { text: 'Errors', link: '/errors' },
    ],
    sidebar: [
      { text: 'Guide', items: guide },
      { text: 'In your program', items: pages },
      { text: 'Research', items: research },
      { text: 'Inside', items: inside },
      { text: 'Reference', items: reference },
    ],
    docFooter: { prev: 'Before', next: 'Next' },
  },
});
