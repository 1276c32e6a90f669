/** 每一种错误各自的中文说明。 */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { ErrorWords } from './en.ts';

export const zhErrors: Record<ErrorCode, ErrorWords> = {
  'webgpu-missing': { title: '此浏览器不提供 WebGPU', advice: '请使用新版 Chrome、Edge 或其他支持 WebGPU 的浏览器，并开启硬件加速。' },
  'device-lost': { title: '与 GPU 的连接已中断', advice: '驱动重启或电脑休眠所致。请重启训练器，从最近一次保存处继续。' },
  'out-of-memory': { title: 'GPU 显存不足', advice: '减小批大小、最大长度或图像尺寸，或开启 4 位权重与梯度检查点。' },
  'self-test-failed': { title: '此 GPU 的计算结果不正确', advice: '请更新显卡驱动或浏览器；在此设备上训练会得到损坏的适配器。' },
  'storage-full': { title: '浏览器存储空间已满', advice: '删除旧的训练或释放磁盘空间，然后再次保存。' },
  'storage-failed': { title: '浏览器拒绝保存训练', advice: '请退出无痕模式，允许此页面存储数据，然后重试。' },
  'file-missing': { title: '缺少文件', advice: '把它放进文件夹，然后重新选择该文件夹。' },
  'file-corrupt': { title: '文件已损坏', advice: '请重新下载或导出该文件。' },
  'file-too-large': { title: '文件过大', advice: '请拆分该文件，或不使用它。' },
  'unsupported-model': { title: '不支持此模型', advice: '请选择 Qwen2-VL、Qwen2.5-VL、Qwen3-VL 或 Qwen3.5 的稠密模型。' },
  'tensor-missing': { title: '模型权重不完整', advice: '请重新下载全部 *.safetensors 文件。' },
  'tensor-shape': { title: '某个权重的形状不符', advice: '请检查 config.json 是否与这些权重对应。' },
  tokenizer: { title: '无法读取分词器', advice: '请从模型页面补上 tokenizer.json。' },
  'chat-template': { title: '无法使用对话模板', advice: '请补上该模型原有的对话模板。' },
  dataset: { title: '无法读取数据', advice: '请修正此处指出的位置，然后重新载入。' },
  image: { title: '无法读取图像', advice: '请换成有效的 PNG、JPEG 或 WebP 图像。' },
  video: { title: '无法读取视频', advice: '请转换为 VP9 编码的 WebM 或 H.264 编码的 MP4，或以图片形式提供各帧。' },
  'sample-too-long': { title: '样本过长', advice: '增大最大长度，或减小图像尺寸。' },
  adapter: { title: '适配器不匹配', advice: '请使用由此模型训练出的适配器。' },
  config: { title: '某项设置无效', advice: '请修正；该项的说明列出了允许的取值。' },
  'not-finite': { title: '损失已不是有效数字', advice: '从最近一次保存处继续，并降低学习率或加强梯度裁剪。' },
  'run-locked': { title: '此训练已在另一个标签页中打开', advice: '请在那里继续，或关闭那个标签页后重试。' },
  resume: { title: '无法继续此训练', advice: '请载入开始时使用的同一模型和数据。' },
  internal: { title: 'Lorikeet 内部出错', advice: '请重启训练器；若再次出现，请连同日志一起报告。' },
};
