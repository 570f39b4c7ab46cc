/** Files and folders that are dropped anywhere on the page. */
import { droppedFiles } from './sources.ts';

/** @param onFiles is given the files of a drop, if there are any */
export function wireDrops(onFiles: (files: File[]) => void): void {
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('dropping');
  });
  document.addEventListener('drop', (event) => {
    document.body.classList.remove('dropping');
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    void droppedFiles(event.dataTransfer.items).then((files) => {
      if (files.length > 0) onFiles(files);
    });
  });
}
