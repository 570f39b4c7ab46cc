/** What chats need beyond plain text, in one file that is loaded with the first of them: most of it is the Jinja interpreter. */
export { renderChat } from './chat-template.ts';
export { markersOf } from './reply-markers.ts';
export { ReplySplitter } from './reply-splitter.ts';
