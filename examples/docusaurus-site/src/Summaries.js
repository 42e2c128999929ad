import Layout from '@theme/Layout';

export default function Summaries({ summaries }) {
  return (
    <Layout title="In short">
      <main className="container margin-vert--lg">
        <h1>In short</h1>
        {summaries.map(({ lesson, text }) => (
          <p key={lesson}>{text}</p>
        ))}
      </main>
    </Layout>
  );
}
