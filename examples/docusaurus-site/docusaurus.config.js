// What is the site's own is here; every page and picture comes from the store: `cas checkout` makes
// the folder `content`, which git ignores.
const content = process.env.CONTENT ?? 'content';

export default {
  title: 'Tide pools',
  url: 'https://tides.example',
  baseUrl: '/',
  onBrokenLinks: 'throw',
  markdown: { hooks: { onBrokenMarkdownLinks: 'throw', onBrokenMarkdownImages: 'throw' } },
  staticDirectories: [`${content}/static`],
  plugins: ['./plugins/summaries.js'],
  presets: [
    [
      'classic',
      {
        docs: {
          path: `${content}/docs`,
          routeBasePath: '/',
          sidebarPath: './sidebars.js',
          // They are for the plugin, not pages of their own.
          exclude: ['**/*.summary.md'],
        },
        blog: false,
        pages: false,
      },
    ],
  ],
  themeConfig: {
    navbar: {
      title: 'Tide pools',
      logo: { alt: 'A limpet', src: 'img/limpet.svg' },
      items: [{ to: '/summaries', label: 'In short' }],
    },
  },
};
