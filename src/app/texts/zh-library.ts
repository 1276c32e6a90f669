/** 训练记录库的中文文字。 */
import type { enLibrary } from './en-library.ts';

export const zhLibrary: typeof enLibrary = {
  library: {
    search: '搜索训练',
    searchHint: '名称、标签、备注、r>=16、learning_rate=1e-4',
    order: '排序',
    created: '开始时间',
    size: '占用空间',
    import: '导入训练',
    importing: (name) => `正在导入 ${name}`,
    imported: (name) => `已导入 ${name}。`,
    sweep: '新建超参数搜索',
    filterByTag: '按标签筛选训练',
    none: '没有符合的训练。',
    count: (n) => `${n} 次训练`,
    found: (n, total) => `${total} 次训练中的 ${n} 次`,
    runsTake: (size) => `共占用 ${size}`,
    siteTakes: (used, quota) => `本站已用 ${used}，上限 ${quota}`,
    details: '详情',
    tags: '标签',
    addTag: '添加标签',
    removeTag: (tag) => `移除标签 ${tag}`,
    notes: '备注',
    notesHint: '试了什么，结果如何。',
    duplicate: '用这些设置新建训练',
    duplicated: (name) => `已采用 ${name} 的设置。`,
    export: '导出为 ZIP',
  },
};
