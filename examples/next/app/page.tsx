import { Story } from './story';

/** Once for each request, not once for all: so that this example shows rendering on a server. */
export const dynamic = 'force-dynamic';

/** Rendered on the server, with the component that talks in the browser. */
export default function Page() {
  return (
    <main>
      <h1>A story in a Next.js app</h1>
      <Story model="/models/fable-omni-8m/" />
    </main>
  );
}
