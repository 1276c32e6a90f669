/** The validation figures that the terminal shows, for every method; those that a run does not measure are left out. */

export const SHOWN_METRICS: readonly { key: string; label: string; short: string; digits: number }[] = [
  { key: 'eval_loss', label: 'validation loss', short: 'loss', digits: 4 },
  { key: 'val_accuracy', label: 'reward accuracy', short: 'accuracy', digits: 3 },
  { key: 'val_reward_margin', label: 'reward margin', short: 'margin', digits: 3 },
  { key: 'eval_logps/accuracies', label: 'chosen more likely', short: 'chosen more likely', digits: 3 },
  { key: 'val_reward', label: 'reward', short: 'reward', digits: 3 },
  { key: 'eval_reward', label: 'reward', short: 'reward', digits: 3 },
  { key: 'eval_format', label: 'format', short: 'format', digits: 3 },
  { key: 'eval_bbox_iou', label: 'bbox IoU', short: 'IoU', digits: 3 },
  { key: 'eval_bbox_iou50', label: 'bbox IoU >= 0.5', short: '', digits: 3 },
  { key: 'eval_category', label: 'category', short: 'category', digits: 3 },
  { key: 'eval_status', label: 'status', short: 'status', digits: 3 },
  { key: 'eval_f1', label: 'F1', short: 'F1', digits: 3 },
];
