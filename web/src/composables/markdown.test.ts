// @vitest-environment jsdom
import { expect, it } from 'vitest'
import { linkTarget, markdownHtml } from './markdown'

it('renders what a description needs', () => {
  expect(markdownHtml('Loads **all**.\n\n- `a`', 'etl/load')).toBe('<p>Loads <strong>all</strong>.</p>\n<ul>\n<li><code>a</code></li>\n</ul>\n')
})

it('lets no element, handler, picture or foreign scheme through', () => {
  const html = markdownHtml('<script>x</script><b onclick=x>b</b> ![p](http://example.com/p.png) [l](javascript:alert(1)) [d](data:text/html,x)', 'etl/load')
  const page = document.createElement('div')
  page.innerHTML = html
  expect([...page.querySelectorAll('script, b, img, a[href], [onclick]')]).toEqual([])
})

it('leads links to job files to their jobs, and links to nowhere nowhere', () => {
  expect(markdownHtml('[t](transform.yaml)', 'etl/load')).toBe('<p><a href="/jobs/etl/transform">t</a></p>\n')
  expect(linkTarget('../ops/clean.yaml', 'etl/load')).toBe('/jobs/ops/clean')
  expect(linkTarget('https://example.com/a.yaml', 'etl/load')).toBe('https://example.com/a.yaml')
  expect(linkTarget('README.md', 'etl/load')).toBeNull()
  expect(linkTarget('//example.com/x.yaml', 'etl/load')).toBeNull()
})
