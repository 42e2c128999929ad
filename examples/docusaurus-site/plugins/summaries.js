// A page of all summaries: the files `NAME.summary.md` beside the lessons `NAME.md`.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export default function summaries(context) {
  const docs = path.join(context.siteDir, process.env.CONTENT ?? 'content', 'docs');
  return {
    name: 'summaries',
    async loadContent() {
      const files = (await readdir(docs, { recursive: true }))
        .filter((file) => file.endsWith('.summary.md'))
        .sort();
      return Promise.all(
        files.map(async (file) => ({
          lesson: path.basename(file, '.summary.md'),
          text: (await readFile(path.join(docs, file), 'utf8')).trim(),
        })),
      );
    },
    async contentLoaded({ content, actions }) {
      const data = await actions.createData('summaries.json', JSON.stringify(content));
      actions.addRoute({
        path: '/summaries',
        component: '@site/src/Summaries.js',
        modules: { summaries: data },
        exact: true,
      });
    },
    getPathsToWatch: () => [`${docs}/**/*.summary.md`],
  };
}
