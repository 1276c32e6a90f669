/** 训练器的话，中文。 */
import type { Sayings } from './sayings.ts';

export const chineseSayings: Sayings = {
  resumed: ({ step }) => `已从第 ${step} 步之后继续。`,
  otherGpu: ({ from, to }) => `此训练开始于“${from}”，现在在“${to}”上继续：数值的末几位可能不同。`,
  otherKernels: ({ count }) => `此训练开始时所用的 ${count} 种内核形式无法在此设备上运行：数值的末几位可能不同。`,
  samplesLeftOut: ({ count }) => `有 ${count} 个样本因含有错误而被略过。`,
  noF16: () => '此 GPU 不支持 shader-f16：以 float32 计算。',
  datasetNotKept: () => '空间不足，未能保留数据副本：重新载入页面后继续训练时，需要再次选择数据文件。',
  stateUnreadable: ({ directory, reason }) => `无法读取 ${directory}，已跳过：${reason}`,
  logGap: ({ after, before }) => `浏览器存储中缺少部分日志：第 ${after} 步之后、第 ${before} 步之前。`,
  storageFull: ({ reason }) => `浏览器存储空间已满，训练已暂停。请删除旧的训练或释放磁盘空间，然后继续。（${reason}）`,
  failedStored: ({ reason, step }) => `训练因错误停止：${reason} 第 ${step} 步的状态已保存。`,
  failedUnstored: ({ reason }) => `训练因错误停止：${reason} 没有保存任何状态。`,
  noValidationData: () => '没有验证数据，因此无法选出最佳适配器。请添加验证文件，或设置 validation_split。',
  tooFewStepsToValidate: ({ every, steps }) => `eval_steps 为 ${every}，而训练只有 ${steps} 步：只在开始与结束时验证。`,
  tooFewStepsToSave: ({ every, steps }) => `save_steps 为 ${every}，而训练只有 ${steps} 步：不会保留带编号的检查点。`,
  earlyStopped: ({ step, count }) => `第 ${step} 步后提前结束：连续 ${count} 次验证没有更好的适配器。`,
  stoppedDead: ({ step }) => `第 ${step} 步后停止：适配器不再得到任何梯度。请降低 learning_rate，从较早的检查点继续。`,
  stoppedUniform: ({ step, loss }) => `第 ${step} 步后停止：损失 ${loss} 等于随机猜测词元。请降低 learning_rate，从较早的检查点继续。`,
  rewardFaults: ({ name, count, reason }) => `奖励 ${name} 对 ${count} 个回答没有给出可用的值：${reason}`,
  pairsIdentical: ({ count }) => `${count} 个样本对被略去：两个回答的词元相同。`,
  startedFrom: ({ name }) => `从适配器 ${name} 开始训练。`,
  emptyThoughts: () => '答案不含思考内容，而此模型的聊天模板会写出思考：每个答案前都放入一段空的思考。',
  notQuantised: () => '权重未量化；以 4 位载入约只需四分之一的显存。',
  patternsAndVllm: () => '各模块的秩或缩放不同，vLLM 无法读取：请在训练结果的下载中选择“供 vLLM 使用的适配器”。',
  rankAboveVllm: ({ r }) => `秩 ${r} 高于 vLLM 的默认上限 16：部署适配器时请加上 --max-lora-rank ${r}。`,
};
