/** 偏好训练与奖励训练各项设置的名称和一句说明。 */
import type { enMethodSettings } from './en-method-settings.ts';

export const zhMethodSettings: typeof enMethodSettings = {
  early_stopping_patience: { label: '提前停止', help: '连续多少次验证没有更好的结果就结束；0 表示从不。' },
  beta: { label: 'Beta', help: '向参考模型的拉力：越大，模型变化越小。在 GRPO 中是 KL 项的权重，0 表示不用。' },
  loss_type: { label: '损失', help: '用哪种损失比较好答案与坏答案；第一个是常用的。' },
  loss_weights: { label: '损失权重', help: '混合多种损失时每种一个数，用逗号分隔。' },
  label_smoothing: { label: '标签平滑', help: '估计有多大比例的样本对标反了；cdpo、robust 和 exo_pair 会用到。' },
  precompute_ref_log_probs: { label: '参考只算一次', help: '在第一步之前用参考模型给所有样本对打分，而不是每步都算。' },
  epsilon: { label: '下方截断', help: '一次更新中一个词元的概率最多降多少，超过则截断梯度。' },
  epsilon_high: { label: '上方截断', help: '最多升多少；留空与下方相同。' },
  delta: { label: '比值硬上限', help: '即使优势为负，概率比也不超过它；留空表示没有。' },
  importance_sampling_level: { label: '比值的单位', help: '逐词元（GRPO），或整个回答（GSPO）。' },
  num_iterations: { label: '每次采样的更新数', help: '同一批回答用几次更新后再重新采样。' },
  reward_scheme: { label: '奖励', help: '如何对照真实答案给回答打分。' },
  reward_weights: { label: '奖励权重', help: '按方案各项的顺序，每项一个数；留空用方案自己的权重。' },
  custom_rewards: { label: '自己的奖励', help: '由您编写的函数，按权重加到方案上。' },
  scale_rewards: { label: '优势的缩放', help: '除以组内、整批奖励的离散程度，或不缩放。' },
  redraw_zero_variance: { label: '重抽同分组', help: '所有回答得分相同的提示重新采样几次；这样的组学不到东西。' },
  box_convention: { label: '回答中的框', help: '图像的千分位，或像 Qwen2.5-VL 那样用缩放后图像的像素。' },
  num_generations: { label: '每个提示的回答数', help: '一组的大小；越多比较越稳，也越慢。' },
  temperature: { label: '温度', help: '越高，采样的回答越多样；损失用同样的温度。' },
  top_p: { label: 'Top p', help: '只从累计概率达到此值的最可能词元中采样；1 表示全部。' },
  top_k: { label: 'Top k', help: '只从最可能的若干词元中采样；0 表示全部。' },
  repetition_penalty: { label: '重复惩罚', help: '大于 1 时，出现过的词元更不容易再出现。' },
  max_completion_length: { label: '采样回答的最大长度', help: '采样最迟在此停止；被截断的回答很少得高分。' },
  mask_truncated_completions: { label: '忽略被截断的回答', help: '达到长度上限的回答不计损失。' },
};
