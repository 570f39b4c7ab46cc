import type { ReactNode } from 'react';

export const metadata = { title: 'A story in a Next.js app' };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
