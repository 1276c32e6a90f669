import { describe, expect, it } from 'vitest';
import { XmlReader } from '../../../src/data/xml-reader.ts';

type Event = [what: 'open' | 'close', name: string, content: unknown, line: number];

function read(xml: string, pieceLength = xml.length): Event[] {
  const events: Event[] = [];
  const reader = new XmlReader(
    {
      open: (name, attributes, line) => events.push(['open', name, Object.fromEntries(attributes), line]),
      close: (name, text, line) => events.push(['close', name, text, line]),
    },
    'a.xml',
  );
  for (let at = 0; at < xml.length; at += pieceLength) reader.write(xml.slice(at, at + pieceLength));
  reader.end();
  return events;
}

const DOCUMENT = `\ufeff<?xml version="1.0" encoding="utf-8"?>
<!-- a > comment -->
<a>
  <b x="1 &gt; 0" y='"'
     z="a>b"/>
  <c.d>one<!-- x -->&#20013;&#x4e2d;<![CDATA[<&amp;]]> &lt;two&gt;&amp;&quot;&apos;</c.d >
</a>
`;

describe('reading', () => {
  const expected: Event[] = [
    ['open', 'a', {}, 3],
    ['open', 'b', { x: '1 > 0', y: '"', z: 'a>b' }, 5],
    ['close', 'b', '', 5],
    ['open', 'c.d', {}, 6],
    ['close', 'c.d', 'one中中<&amp; <two>&"\'', 6],
    ['close', 'a', '\n  \n  \n', 7],
  ];

  it.each([1, 2, 3, 7, 1000])('in pieces of %i', (length) => {
    expect(read(DOCUMENT, length)).toEqual(expected);
  });

  it('takes names and attributes as plain data', () => {
    const [[, name, attributes]] = read('<__proto__ constructor="1"/>');
    expect([name, attributes]).toEqual(['__proto__', { constructor: '1' }]);
  });

  it('is quick with long files and long lines', () => {
    const start = performance.now();
    expect(read(`<a>${'<b x="1"/>'.repeat(100_000)}</a>`)).toHaveLength(200_002);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('faults', () => {
  it.each<[string, string, RegExp]>([
    ['nothing', '', /holds no elements/],
    ['white space', ' \n', /holds no elements/],
    ['no XML', 'hello', /line 1: text stands outside/],
    ['text behind the end', '<a/>\nx', /text stands outside/],
    ['two roots', '<a/>\n<b/>', /line 2: <b> stands after the end/],
    ['wrong end tag', '<a>\n<b></a>', /line 2: <\/a> closes <b>/],
    ['end tag alone', '</a>', /closes nothing/],
    ['cut off in an element', '<a>\n<b>', /line 2: it ends inside <b>/],
    ['cut off in a tag', '<a>\n<b x="', /line 2: it ends inside a tag/],
    ['cut off in a comment', '<a><!-- ', /ends inside a tag/],
    ['attribute without quotes', '<a b=c/>', /cannot be read/],
    ['attribute without value', '<a b/>', /cannot be read/],
    ['attributes without space', '<a b="1"c="2"/>', /cannot be read/],
    ['attribute twice', '<a b="1" b="2"/>', /has "b" twice/],
    ['< in an attribute', '<a b="<"/>', /cannot be read/],
    ['end tag with attributes', '<a></a b="1">', /cannot be read/],
    ['no name', '<a>\n< b/></a>', /line 2: a tag has no proper name/],
    ['document type', '<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>', /document type/],
    ['unknown entity', '<a>\n&bomb;</a>', /"&bomb;" is no known character/],
    ['inherited entity', '<a>&constructor;</a>', /no known character/],
    ['bare ampersand', '<a b="x & y"/>', /"&" is no known character/],
    ['character 0', '<a>&#0;</a>', /no known character/],
    ['half a character', '<a>&#xD800;</a>', /no known character/],
    ['character beyond Unicode', '<a>&#x110000;</a>', /no known character/],
    ['too deep', '<a>'.repeat(100), /more than 64 deep/],
    ['endless tag', `<a b="${'x'.repeat(2_000_000)}`, /longer than any real one/],
    ['endless text', `<a>${'x'.repeat(2_000_000)}</a>`, /text of <a> is longer/],
    ['endless attributes', `<a ${Array.from({ length: 300 }, (_, i) => `b${i}="1"`).join(' ')}/>`, /more than 256 attributes/],
  ])('%s', (_what, xml, message) => {
    expect(() => read(xml)).toThrow(expect.objectContaining({ code: 'file-corrupt', message: expect.stringMatching(message), place: expect.objectContaining({ file: 'a.xml' }) }));
  });
});
