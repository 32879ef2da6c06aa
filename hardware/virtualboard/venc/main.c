// SPDX-License-Identifier: GPL-2.0
/*
 * bril-venc: a stateful H.264 encoder without hardware, for tests. It follows the
 * "Memory-to-memory Stateful Video Encoder Interface" of the kernel's documentation,
 * except where a module parameter makes it behave as a real SoC's does.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>

#include "venc.h"

static int venc_open(struct file *file)
{
	struct venc_dev *dev = video_drvdata(file);
	struct venc_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	int err;

	if (!ctx)
		return -ENOMEM;
	ctx->dev = dev;
	venc_quirks_read(&ctx->quirks);
	mutex_init(&ctx->finish);
	INIT_DELAYED_WORK(&ctx->job, venc_job_work);
	v4l2_fh_init(&ctx->fh, &dev->vdev);
	venc_formats_init(ctx);
	err = venc_controls_init(ctx);
	if (err)
		goto free_ctx;
	ctx->fh.m2m_ctx = v4l2_m2m_ctx_init(dev->m2m, ctx, venc_queues_init);
	if (IS_ERR(ctx->fh.m2m_ctx)) {
		err = PTR_ERR(ctx->fh.m2m_ctx);
		goto free_controls;
	}
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	v4l2_fh_add(&ctx->fh, file);
#else
	file->private_data = &ctx->fh;
	v4l2_fh_add(&ctx->fh);
#endif
	return 0;

free_controls:
	v4l2_ctrl_handler_free(&ctx->controls);
free_ctx:
	v4l2_fh_exit(&ctx->fh);
	kfree(ctx);
	return err;
}

static int venc_release(struct file *file)
{
	struct venc_dev *dev = video_drvdata(file);
	struct venc_ctx *ctx = venc_ctx_of(file->private_data);

	mutex_lock(&dev->lock);
	v4l2_m2m_ctx_release(ctx->fh.m2m_ctx);
	mutex_unlock(&dev->lock);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	v4l2_fh_del(&ctx->fh, file);
#else
	v4l2_fh_del(&ctx->fh);
#endif
	v4l2_fh_exit(&ctx->fh);
	v4l2_ctrl_handler_free(&ctx->controls);
	kfree(ctx);
	return 0;
}

static const struct v4l2_file_operations venc_file_ops = {
	.owner = THIS_MODULE,
	.open = venc_open,
	.release = venc_release,
	.poll = v4l2_m2m_fop_poll,
	.mmap = v4l2_m2m_fop_mmap,
	.unlocked_ioctl = video_ioctl2,
};

/* After the device is gone and its last file is closed. */
static void venc_free(struct video_device *vdev)
{
	struct venc_dev *dev = container_of(vdev, struct venc_dev, vdev);

	v4l2_m2m_release(dev->m2m);
	destroy_workqueue(dev->jobs);
	v4l2_device_unregister(&dev->v4l2);
	media_device_cleanup(&dev->media);
	kfree(dev);
}

static void venc_media_init(struct venc_dev *dev, struct device *parent)
{
	dev->media.dev = parent;
	strscpy(dev->media.model, VENC_NAME, sizeof(dev->media.model));
	media_device_init(&dev->media);
	dev->v4l2.mdev = &dev->media;
}

static void venc_video_init(struct venc_dev *dev)
{
	struct video_device *vdev = &dev->vdev;

	strscpy(vdev->name, VENC_NAME, sizeof(vdev->name));
	vdev->v4l2_dev = &dev->v4l2;
	vdev->vfl_dir = VFL_DIR_M2M;
	vdev->fops = &venc_file_ops;
	vdev->ioctl_ops = &venc_ioctl_ops;
	vdev->release = venc_free;
	vdev->lock = &dev->lock;
	vdev->device_caps = V4L2_CAP_STREAMING |
		(dev->multiplanar ? V4L2_CAP_VIDEO_M2M_MPLANE : V4L2_CAP_VIDEO_M2M);
	video_set_drvdata(vdev, dev);
}

/* Says in the media controller what the node is. It has its minor number by now. */
static int venc_describe(struct venc_dev *dev)
{
	int err = v4l2_m2m_register_media_controller(dev->m2m, &dev->vdev,
						     MEDIA_ENT_F_PROC_VIDEO_ENCODER);

	if (err)
		return err;
	err = media_device_register(&dev->media);
	if (err)
		v4l2_m2m_unregister_media_controller(dev->m2m);
	return err;
}

static int venc_probe(struct platform_device *pdev)
{
	struct venc_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return -ENOMEM;
	mutex_init(&dev->lock);
	dev->multiplanar = venc_multiplanar();
	venc_media_init(dev, &pdev->dev);
	err = v4l2_device_register(&pdev->dev, &dev->v4l2);
	if (err)
		goto cleanup_media;
	dev->jobs = alloc_workqueue(VENC_NAME, WQ_UNBOUND, 1);
	if (!dev->jobs) {
		err = -ENOMEM;
		goto unregister_v4l2;
	}
	dev->m2m = v4l2_m2m_init(&venc_m2m_ops);
	if (IS_ERR(dev->m2m)) {
		err = PTR_ERR(dev->m2m);
		goto destroy_jobs;
	}
	venc_video_init(dev);
	platform_set_drvdata(pdev, dev);
	err = video_register_device(&dev->vdev, VFL_TYPE_VIDEO, -1);
	if (err)
		goto release_m2m;
	err = venc_describe(dev);
	if (err)
		video_unregister_device(&dev->vdev);	/* venc_free does the rest */
	return err;

release_m2m:
	v4l2_m2m_release(dev->m2m);
destroy_jobs:
	destroy_workqueue(dev->jobs);
unregister_v4l2:
	v4l2_device_unregister(&dev->v4l2);
cleanup_media:
	media_device_cleanup(&dev->media);
	kfree(dev);
	return err;
}

/* Whoever waits for a buffer learns that none will come. */
static void venc_wake_files(struct venc_dev *dev)
{
	struct v4l2_fh *fh;
	unsigned long flags;

	spin_lock_irqsave(&dev->vdev.fh_lock, flags);
	list_for_each_entry(fh, &dev->vdev.fh_list, list) {
		vb2_queue_error(&fh->m2m_ctx->out_q_ctx.q);
		vb2_queue_error(&fh->m2m_ctx->cap_q_ctx.q);
	}
	spin_unlock_irqrestore(&dev->vdev.fh_lock, flags);
}

static void venc_unbind(struct platform_device *pdev)
{
	struct venc_dev *dev = platform_get_drvdata(pdev);

	venc_wake_files(dev);
	media_device_unregister(&dev->media);
	v4l2_m2m_unregister_media_controller(dev->m2m);
	video_unregister_device(&dev->vdev);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define venc_remove venc_unbind
#else
static int venc_remove(struct platform_device *pdev)
{
	venc_unbind(pdev);
	return 0;
}
#endif

static struct platform_driver venc_driver = {
	.probe = venc_probe,
	.remove = venc_remove,
	.driver = { .name = VENC_NAME },
};

static struct platform_device *venc_device;

static int __init venc_init(void)
{
	int err = platform_driver_register(&venc_driver);

	if (err)
		return err;
	venc_device = platform_device_register_simple(VENC_NAME, 0, NULL, 0);
	if (IS_ERR(venc_device)) {
		platform_driver_unregister(&venc_driver);
		return PTR_ERR(venc_device);
	}
	return 0;
}

static void __exit venc_exit(void)
{
	platform_device_unregister(venc_device);
	platform_driver_unregister(&venc_driver);
}

module_init(venc_init);
module_exit(venc_exit);

MODULE_DESCRIPTION("H.264 encoder for tests, with the quirks of real ones");
MODULE_AUTHOR("The Bril project");
MODULE_LICENSE("GPL");
