/** Annotations of the format "CVAT for images 1.1". */
import { CVAT_DEFAULTS, importCvat } from '../../../src/data/cvat.ts';
import { blobOf, encode } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { sentence, type Rules } from '../mutate/grammar.ts';
import { NASTY_STRINGS } from '../mutate/nasty.ts';
import { mutateText } from '../mutate/text.ts';
import type { FuzzReader } from '../reader.ts';

const EXAMPLE = `<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>1</id><name>t &amp; co</name><labels><label><name>路灯</name></label></labels></task></meta>
  <image id="0" name="a/1.jpg" width="1920" height="1080">
    <box label="路灯" source="manual" occluded="0" xtl="10.50" ytl="20.00" xbr="300.25" ybr="400.00" z_order="0"><attribute name="状态">异常</attribute><attribute name="原因">不亮</attribute></box>
    <box label="信号灯" xtl="-5" ytl="20" xbr="300" ybr="1090"><attribute name="status">ok</attribute></box>
    <polygon label="x" points="1,2;3,4;5,6"></polygon>
  </image>
  <image id="1" name="2.jpg" width="640" height="480"></image>
  <image id="2" name="3.jpg" width="640" height="480"><box label="a&#x4e2d;" xtl="1" ytl="2" xbr="30" ybr="40"/><!-- c --><![CDATA[x]]></image>
</annotations>`;

const WORDS = [
  ...NASTY_STRINGS, '<!DOCTYPE a [<!ENTITY x "y">]>', '&x;', '&#0;', '&#xD800;', '&#99999999;', '<![CDATA[', ']]>', '<!--', '-->', '<?', '?>', '</image>', '<image>', '<image ', '<box ', '</box>', 'width="0"', 'width="-1"', 'xtl="NaN"', 'xtl="1e5"', 'xbr="99999"',
  '<a>'.repeat(80), '<a b="1" b="2">', '"', "'", '>', '<', '<track>', '<attribute name="状态">',
];

const RULES: Rules = {
  file: ['<annotations>{images}</annotations>', '<annotations>{images}{image}{images}</annotations>'],
  images: ['{image}', '{image}{images}', ''],
  image: ['<image name={name} width={number} height={number}>{boxes}</image>', '<image>{boxes}</image>', '<image name={name} width={number}/>', '{box}', '<image name={name} width="9" height="9">{image}</image>'],
  boxes: ['', '{box}', '{box}{boxes}'],
  box: ['<box label={name} xtl={number} ytl={number} xbr={number} ybr={number}>{attributes}</box>', '<box label={name} xtl={number}/>', '<box label="a" xtl="1" ytl="1" xbr="5" ybr="5">{box}</box>', '<attribute name="x">y</attribute>', '<polygon/>'],
  attributes: ['', '<attribute name={name}>{text}</attribute>', '<attribute>{text}</attribute>{attributes}', '<attribute name="status"><b/>{text}</attribute>'],
  name: ['"a.jpg"', '""', '"__proto__"', "'状态'", '"a&amp;b"', '" "'],
  number: ['"10"', '"0"', '"-3.5"', '"100000"', '"NaN"', '"1e3"', '""', '"999999999999"'],
  text: ['ok', '正常', '&lt;', '<![CDATA[<]]>', ' ', '__proto__'],
};

const read = (content: Uint8Array<ArrayBuffer> | string) => importCvat([{ path: 'annotations.xml', file: blobOf(content) }], CVAT_DEFAULTS);

export const cvatReader: FuzzReader = {
  name: 'cvat',
  share: 8,
  prepare: async () => {
    const valid = await read(EXAMPLE);
    if (valid.train.length + valid.validation.length + valid.test.length !== 3) throw new Error('the example is not read');
    return async (random) => {
      const kind = random.below(4);
      const set = await read(kind === 0 ? mutateBytes(random, encode(EXAMPLE)) : kind === 1 ? sentence(random, RULES, 'file') : mutateText(random, EXAMPLE, WORDS));
      const records = [...set.train, ...set.validation, ...set.test];
      if (records.length === 0 && set.problemCount === 0) return 'wrong: nothing read, nothing said';
      for (const { conversations } of records) {
        for (const [whole, ...corners] of conversations[1].value.matchAll(/<box>\((.*?),(.*?)\),\((.*?),(.*?)\)<\/box>/g)) {
          const [x1, y1, x2, y2] = corners.map(Number);
          if (![x1, y1, x2, y2].every((x) => Number.isInteger(x) && x >= 0 && x <= 1000) || x2 <= x1 || y2 <= y1) return `wrong: box ${whole}`;
        }
      }
      return set.problemCount > 0 ? 'told' : 'read';
    };
  },
};
