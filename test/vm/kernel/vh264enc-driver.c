// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for the Pi's H.264 encoder (driver bcm2835-codec): it negotiates and takes controls as that one does, and really
 * encodes, in the simplest way (h264.c). What it was asked for is in debugfs, vh264enc/log; writing to that file empties it.
 *
 * Names, formats, alignment, controls with their ranges, and the node's number are those of
 * drivers/staging/vc04_services/bcm2835-codec/bcm2835-v4l2-codec.c of raspberrypi/linux, by Dave Stevenson, (c) 2018 Raspberry Pi
 * (Trading) Ltd. How a memory-to-memory encoder is written follows vicodec-core.c of Linux 6.1, by Hans Verkuil, (c) 2018 Cisco
 * Systems, Inc. Otherwise than on a Pi, buffers for H.264 are larger, because a key picture here holds the raw samples; and
 * controls carry the flag execute-on-write, so that a value that is the present one is seen too.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-vmalloc.h>
#include "h264.h"

#define NAME "bcm2835-codec"

MODULE_DESCRIPTION("Stand-in for the H.264 encoder of a Raspberry Pi");
MODULE_LICENSE("GPL");

static int encode_video_nr = 11;
module_param(encode_video_nr, int, 0444);
MODULE_PARM_DESC(encode_video_nr, "number of the video node");

static bool deaf;
module_param(deaf, bool, 0444);
MODULE_PARM_DESC(deaf, "gives no keyframe when it is asked for one");

#define MIN_SIZE 32U
#define MAX_SIZE 1920U

struct format {
	u32 fourcc;
	unsigned int align;	/* of bytesperline */
	unsigned int step;	/* between chroma samples of one colour */
	bool cr_first;
};

/* The Pi's also takes RGB, the other orders of packed YUV, and column formats. */
static const struct format raw_formats[] = {
	{ V4L2_PIX_FMT_YUV420, 64, 1, false },
	{ V4L2_PIX_FMT_YVU420, 64, 1, true },
	{ V4L2_PIX_FMT_NV12, 32, 2, false },
	{ V4L2_PIX_FMT_NV21, 32, 2, true },
	{ V4L2_PIX_FMT_YUYV, 64, 4, false },
};

struct device_state {
	struct v4l2_device v4l2_dev;
	struct video_device video;
	struct v4l2_m2m_dev *m2m;
	struct mutex lock;
	struct dentry *debugfs;
	unsigned int opened;
};

/* One opener of the node. */
struct session {
	struct v4l2_fh fh;
	struct device_state *dev;
	struct v4l2_ctrl_handler controls;
	struct v4l2_ctrl *bitrate, *gop_size, *profile, *level, *repeat_headers;
	unsigned int number;		/* in the log */
	bool being_made;		/* its controls are set to their defaults: nothing that was asked for */

	const struct format *raw;
	unsigned int width, height;	/* of the raw picture */
	unsigned int stride, raw_size, coded_size;
	struct v4l2_pix_format_mplane colour;
	struct v4l2_fract interval;

	bool key_wanted;
	unsigned int pictures;		/* encoded since streaming began */
	unsigned int since_key;
	unsigned int keys;
	unsigned int next_macroblock;
	s64 budget;			/* bytes that may still be spent to keep to the bitrate */
};

static struct session *session_of(struct file *file)
{
	return container_of(file->private_data, struct session, fh);
}

/* ---- the log ---- */

static DEFINE_MUTEX(log_lock);
static char log_text[64 << 10];
static size_t log_size;

/* One line, which begins with the number of the opener. What no longer fits is lost. */
static __printf(2, 3) void note(struct session *s, const char *format, ...)
{
	va_list args;

	mutex_lock(&log_lock);
	log_size += scnprintf(log_text + log_size, sizeof(log_text) - log_size, "%u ", s->number);
	va_start(args, format);
	log_size += vscnprintf(log_text + log_size, sizeof(log_text) - log_size, format, args);
	va_end(args);
	log_size += scnprintf(log_text + log_size, sizeof(log_text) - log_size, "\n");
	mutex_unlock(&log_lock);
}

static ssize_t log_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	ssize_t ret;

	mutex_lock(&log_lock);
	ret = simple_read_from_buffer(to, count, at, log_text, log_size);
	mutex_unlock(&log_lock);
	return ret;
}

static ssize_t log_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	mutex_lock(&log_lock);
	log_size = 0;
	mutex_unlock(&log_lock);
	return count;
}

static const struct file_operations log_fops = {
	.owner = THIS_MODULE,
	.read = log_read,
	.write = log_write,
};

/* ---- controls ---- */

/* `H264 I-Frame Period` becomes h264_i_frame_period, as v4l2-ctl and GStreamer write it. */
static void plain_name(char *to, size_t room, const char *name)
{
	size_t length = 0;

	for (; *name && length + 1 < room; name++) {
		if (isalnum(*name))
			to[length++] = tolower(*name);
		else if (length && to[length - 1] != '_')
			to[length++] = '_';
	}
	to[length] = 0;
}

static int set_control(struct v4l2_ctrl *ctrl)
{
	struct session *s = container_of(ctrl->handler, struct session, controls);
	char name[40];

	if (s->being_made)
		return 0;
	plain_name(name, sizeof(name), ctrl->name);
	note(s, "set %s %d", name, ctrl->val);
	if (ctrl->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME)
		s->key_wanted = !deaf;
	/* As on the Pi, whose encoder knows one period only. */
	if (ctrl->id == V4L2_CID_MPEG_VIDEO_H264_I_PERIOD)
		return __v4l2_ctrl_s_ctrl(s->gop_size, ctrl->val);
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = {
	.s_ctrl = set_control,
};

static struct v4l2_ctrl *number(struct session *s, u32 id, s64 min, s64 max, u64 step, s64 value)
{
	return v4l2_ctrl_new_std(&s->controls, &control_ops, id, min, max, step, value);
}

static struct v4l2_ctrl *menu(struct session *s, u32 id, u8 max, u64 left_out, u8 value)
{
	return v4l2_ctrl_new_std_menu(&s->controls, &control_ops, id, max, left_out, value);
}

static int make_controls(struct session *s)
{
	struct v4l2_ctrl *ctrl;

	v4l2_ctrl_handler_init(&s->controls, 13);
	menu(s, V4L2_CID_MPEG_VIDEO_BITRATE_MODE, V4L2_MPEG_VIDEO_BITRATE_MODE_CBR, 0, V4L2_MPEG_VIDEO_BITRATE_MODE_VBR);
	s->bitrate = number(s, V4L2_CID_MPEG_VIDEO_BITRATE, 25000, 25000000, 25000, 10000000);
	menu(s, V4L2_CID_MPEG_VIDEO_HEADER_MODE, V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME, 0,
	     V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME);
	s->repeat_headers = number(s, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 1, 0);
	number(s, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 0, 0x7fffffff, 1, 60);
	s->level = menu(s, V4L2_CID_MPEG_VIDEO_H264_LEVEL, V4L2_MPEG_VIDEO_H264_LEVEL_5_1, 0, V4L2_MPEG_VIDEO_H264_LEVEL_4_0);
	s->profile = menu(s, V4L2_CID_MPEG_VIDEO_H264_PROFILE, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH,
			  BIT(V4L2_MPEG_VIDEO_H264_PROFILE_EXTENDED), V4L2_MPEG_VIDEO_H264_PROFILE_HIGH);
	number(s, V4L2_CID_MPEG_VIDEO_H264_MIN_QP, 0, 51, 1, 20);
	number(s, V4L2_CID_MPEG_VIDEO_H264_MAX_QP, 0, 51, 1, 51);
	number(s, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, 0);
	number(s, V4L2_CID_MPEG_VIDEO_B_FRAMES, 0, 0, 1, 0);
	s->gop_size = number(s, V4L2_CID_MPEG_VIDEO_GOP_SIZE, 0, 0x7fffffff, 1, 60);
	if (s->controls.error)
		return s->controls.error;
	list_for_each_entry(ctrl, &s->controls.ctrls, node)
		ctrl->flags |= V4L2_CTRL_FLAG_EXECUTE_ON_WRITE;
	s->fh.ctrl_handler = &s->controls;
	return v4l2_ctrl_handler_setup(&s->controls);
}

/* ---- encoding ---- */

static bool is_packed(const struct format *raw)
{
	return raw->step == 4;
}

static struct h264_source source_of(struct session *s, const u8 *raw)
{
	const u8 *chroma = raw + s->stride * s->height;
	const u8 *second = s->raw->step == 2 ? chroma + 1 : chroma + s->stride / 2 * (s->height / 2);

	if (is_packed(s->raw))
		/* Of two lines the chroma of the first. */
		return (struct h264_source){
			.luma = raw, .cb = raw + 1, .cr = raw + 3,
			.luma_stride = s->stride, .luma_step = 2,
			.chroma_stride = 2 * s->stride, .chroma_step = 4,
		};
	return (struct h264_source){
		.luma = raw,
		.luma_step = 1,
		.cb = s->raw->cr_first ? second : chroma,
		.cr = s->raw->cr_first ? chroma : second,
		.luma_stride = s->stride,
		.chroma_stride = s->raw->step == 2 ? s->stride : s->stride / 2,
		.chroma_step = s->raw->step,
	};
}

/* Spends what the bitrate allows on new macroblocks, one stripe after the other. Returns bytes. */
static size_t encode(struct session *s, const u8 *raw, u8 *to, size_t room, bool *key)
{
	struct h264_sequence seq = {
		.width = s->width, .height = s->height,
		.profile = s->profile->cur.val, .level = s->level->cur.val,
		.rate_num = s->interval.denominator, .rate_den = s->interval.numerator,
	};
	struct h264_source source = source_of(s, raw);
	unsigned int all = h264_macroblocks(&seq), period = s->gop_size->cur.val, count = 0;
	s64 share = div_u64((u64)s->bitrate->cur.val * s->interval.numerator, 8 * s->interval.denominator);
	size_t size = 0;

	*key = s->pictures == 0 || s->key_wanted || (period && s->since_key >= period);
	if (*key) {
		if (s->pictures == 0 || s->repeat_headers->cur.val)
			size = h264_write_headers(to, room, &seq);
		size += h264_write_key_picture(to + size, room - size, &seq, &source, s->keys++);
		s->key_wanted = false;
		s->since_key = 0;
		s->next_macroblock = 0;
		s->budget = 0;	/* what the last period owes is forgiven */
	} else {
		if (s->budget > 0)
			count = min_t(u64, div_u64(s->budget, H264_MACROBLOCK_BYTES), all - s->next_macroblock);
		size = h264_write_picture(to, room, &seq, &source, s->since_key, s->next_macroblock, count);
		s->next_macroblock = (s->next_macroblock + count) % all;
	}
	s->budget = min(s->budget + share - (s64)size, 2 * share);
	s->pictures++;
	s->since_key++;
	return size;
}

static const struct v4l2_event end_of_stream = { .type = V4L2_EVENT_EOS };

static void device_run(void *priv)
{
	struct session *s = priv;
	struct v4l2_m2m_ctx *m2m = s->fh.m2m_ctx;
	struct vb2_v4l2_buffer *src = v4l2_m2m_src_buf_remove(m2m), *dst = v4l2_m2m_dst_buf_remove(m2m);
	bool key;
	size_t size = encode(s, vb2_plane_vaddr(&src->vb2_buf, 0), vb2_plane_vaddr(&dst->vb2_buf, 0),
			     vb2_plane_size(&dst->vb2_buf, 0), &key);

	vb2_set_plane_payload(&dst->vb2_buf, 0, size);
	v4l2_m2m_buf_copy_metadata(src, dst, false);
	src->sequence = dst->sequence = s->pictures - 1;
	dst->flags &= ~(V4L2_BUF_FLAG_LAST | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME);
	dst->flags |= key ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
	if (v4l2_m2m_is_last_draining_src_buf(m2m, src)) {
		dst->flags |= V4L2_BUF_FLAG_LAST;
		v4l2_event_queue_fh(&s->fh, &end_of_stream);
		v4l2_m2m_mark_stopped(m2m);
	}
	v4l2_m2m_buf_done(src, VB2_BUF_STATE_DONE);
	v4l2_m2m_buf_done(dst, VB2_BUF_STATE_DONE);
	v4l2_m2m_job_finish(s->dev->m2m, m2m);
}

static const struct v4l2_m2m_ops m2m_ops = {
	.device_run = device_run,
};

/* ---- queues ---- */

/* A key picture holds the raw samples. The Pi's buffers are 512 kB, or 768 kB above 720p. */
static unsigned int coded_size(struct session *s, unsigned int asked)
{
	return max3(asked, 512U << 10, s->width * s->height * 2);
}

static int queue_setup(struct vb2_queue *q, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *devices[])
{
	struct session *s = vb2_get_drv_priv(q);
	unsigned int size = V4L2_TYPE_IS_OUTPUT(q->type) ? s->raw_size : coded_size(s, s->coded_size);

	if (*planes)
		return sizes[0] < size ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = size;
	return 0;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	struct session *s = vb2_get_drv_priv(vb->vb2_queue);

	if (V4L2_TYPE_IS_OUTPUT(vb->vb2_queue->type))
		return vb2_plane_size(vb, 0) < s->raw_size ? -EINVAL : 0;
	vb2_set_plane_payload(vb, 0, 0);
	return vb2_plane_size(vb, 0) < coded_size(s, s->coded_size) ? -EINVAL : 0;
}

static int buf_out_validate(struct vb2_buffer *vb)
{
	to_vb2_v4l2_buffer(vb)->field = V4L2_FIELD_NONE;
	return 0;
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct session *s = vb2_get_drv_priv(vb->vb2_queue);
	struct vb2_v4l2_buffer *buffer = to_vb2_v4l2_buffer(vb);

	if (V4L2_TYPE_IS_CAPTURE(vb->vb2_queue->type) && vb2_is_streaming(vb->vb2_queue) &&
	    v4l2_m2m_dst_buf_is_last(s->fh.m2m_ctx)) {
		vb2_set_plane_payload(vb, 0, 0);
		buffer->field = V4L2_FIELD_NONE;
		v4l2_m2m_last_buffer_done(s->fh.m2m_ctx, buffer);
		v4l2_event_queue_fh(&s->fh, &end_of_stream);
		return;
	}
	v4l2_m2m_buf_queue(s->fh.m2m_ctx, buffer);
}

static int start_streaming(struct vb2_queue *q, unsigned int count)
{
	struct session *s = vb2_get_drv_priv(q);

	v4l2_m2m_update_start_streaming_state(s->fh.m2m_ctx, q);
	if (V4L2_TYPE_IS_OUTPUT(q->type)) {
		s->pictures = s->since_key = 0;
		note(s, "start %ux%u stride %u rate %u/%u", s->width, s->height, s->stride,
		     s->interval.denominator, s->interval.numerator);
	}
	return 0;
}

static void stop_streaming(struct vb2_queue *q)
{
	struct session *s = vb2_get_drv_priv(q);
	struct v4l2_m2m_ctx *m2m = s->fh.m2m_ctx;
	struct vb2_v4l2_buffer *buffer;

	while ((buffer = V4L2_TYPE_IS_OUTPUT(q->type) ? v4l2_m2m_src_buf_remove(m2m) : v4l2_m2m_dst_buf_remove(m2m)))
		v4l2_m2m_buf_done(buffer, VB2_BUF_STATE_ERROR);
	v4l2_m2m_update_stop_streaming_state(m2m, q);
	if (!V4L2_TYPE_IS_OUTPUT(q->type))
		return;
	note(s, "stop after %u pictures", s->pictures);
	if (v4l2_m2m_has_stopped(m2m))
		v4l2_event_queue_fh(&s->fh, &end_of_stream);
}

static const struct vb2_ops queue_ops = {
	.queue_setup = queue_setup,
	.buf_out_validate = buf_out_validate,
	.buf_prepare = buf_prepare,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
};

static int init_queue(struct session *s, struct vb2_queue *q, unsigned int type)
{
	q->type = type;
	q->io_modes = VB2_MMAP | VB2_DMABUF;
	q->drv_priv = s;
	q->buf_struct_size = sizeof(struct v4l2_m2m_buffer);
	q->ops = &queue_ops;
	q->mem_ops = &vb2_vmalloc_memops;
	q->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
	q->lock = &s->dev->lock;
	return vb2_queue_init(q);
}

static int init_queues(void *priv, struct vb2_queue *src, struct vb2_queue *dst)
{
	return init_queue(priv, src, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE) ?:
	       init_queue(priv, dst, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE);
}

/* ---- formats ---- */

static int querycap(struct file *file, void *fh, struct v4l2_capability *cap)
{
	strscpy(cap->driver, NAME, sizeof(cap->driver));
	strscpy(cap->card, video_devdata(file)->name, sizeof(cap->card));
	strscpy(cap->bus_info, "platform:" NAME, sizeof(cap->bus_info));
	return 0;
}

static int enum_fmt_coded(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_H264;
	return 0;
}

static int enum_fmt_raw(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	if (f->index >= ARRAY_SIZE(raw_formats))
		return -EINVAL;
	f->pixelformat = raw_formats[f->index].fourcc;
	return 0;
}

static int enum_framesizes(struct file *file, void *fh, struct v4l2_frmsizeenum *sizes)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(raw_formats); i++)
		if (raw_formats[i].fourcc == sizes->pixel_format)
			break;
	if (sizes->index || (i == ARRAY_SIZE(raw_formats) && sizes->pixel_format != V4L2_PIX_FMT_H264))
		return -EINVAL;
	sizes->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	sizes->stepwise = (struct v4l2_frmsize_stepwise){ MIN_SIZE, MAX_SIZE, 2, MIN_SIZE, MAX_SIZE, 2 };
	return 0;
}

static const struct format *raw_format(u32 fourcc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(raw_formats); i++)
		if (raw_formats[i].fourcc == fourcc)
			return &raw_formats[i];
	return raw_formats;
}

static int get_format(struct file *file, void *fh, struct v4l2_format *f)
{
	struct session *s = session_of(file);
	bool raw = V4L2_TYPE_IS_OUTPUT(f->type);

	f->fmt.pix_mp = s->colour;
	f->fmt.pix_mp.width = s->width;
	f->fmt.pix_mp.height = s->height;
	f->fmt.pix_mp.field = V4L2_FIELD_NONE;
	f->fmt.pix_mp.num_planes = 1;
	f->fmt.pix_mp.pixelformat = raw ? s->raw->fourcc : V4L2_PIX_FMT_H264;
	f->fmt.pix_mp.plane_fmt[0].bytesperline = raw ? s->stride : 0;
	f->fmt.pix_mp.plane_fmt[0].sizeimage = raw ? s->raw_size : coded_size(s, s->coded_size);
	return 0;
}

static int try_format(struct file *file, void *fh, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane *pix = &f->fmt.pix_mp;
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];

	pix->width = clamp(pix->width, MIN_SIZE, MAX_SIZE);
	pix->height = clamp(pix->height, MIN_SIZE, MAX_SIZE);
	pix->num_planes = 1;
	pix->field = V4L2_FIELD_NONE;
	if (V4L2_TYPE_IS_OUTPUT(f->type)) {
		const struct format *raw = raw_format(pix->pixelformat);

		pix->pixelformat = raw->fourcc;
		plane->bytesperline = ALIGN(max(plane->bytesperline, pix->width * (is_packed(raw) ? 2 : 1)), raw->align);
		plane->sizeimage = plane->bytesperline * pix->height * (is_packed(raw) ? 2 : 3) / (is_packed(raw) ? 1 : 2);
		if (!pix->colorspace)
			pix->colorspace = V4L2_COLORSPACE_REC709;
	} else {
		pix->pixelformat = V4L2_PIX_FMT_H264;
		plane->bytesperline = 0;
		plane->sizeimage = coded_size(session_of(file), plane->sizeimage);
	}
	return 0;
}

static int set_format(struct file *file, void *fh, struct v4l2_format *f)
{
	struct session *s = session_of(file);
	struct v4l2_pix_format_mplane *pix = &f->fmt.pix_mp;

	if (vb2_is_busy(v4l2_m2m_get_vq(s->fh.m2m_ctx, f->type)))
		return -EBUSY;
	try_format(file, fh, f);
	if (V4L2_TYPE_IS_OUTPUT(f->type)) {
		s->width = pix->width;
		s->height = pix->height;
		s->raw = raw_format(pix->pixelformat);
		s->stride = pix->plane_fmt[0].bytesperline;
		s->raw_size = pix->plane_fmt[0].sizeimage;
		s->colour = *pix;
	} else {
		s->coded_size = pix->plane_fmt[0].sizeimage;
	}
	note(s, "format %.4s %ux%u", (const char *)&pix->pixelformat, pix->width, pix->height);
	return 0;
}

/* Always the whole picture. */
static int selection(struct file *file, void *fh, struct v4l2_selection *selection)
{
	struct session *s = session_of(file);

	if (selection->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
		return -EINVAL;
	switch (selection->target) {
	case V4L2_SEL_TGT_CROP:
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		selection->r = (struct v4l2_rect){ 0, 0, s->width, s->height };
		return 0;
	default:
		return -EINVAL;
	}
}

static int get_parm(struct file *file, void *fh, struct v4l2_streamparm *parm)
{
	if (parm->type != V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE)
		return -EINVAL;
	parm->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
	parm->parm.output.timeperframe = session_of(file)->interval;
	return 0;
}

static int set_parm(struct file *file, void *fh, struct v4l2_streamparm *parm)
{
	struct v4l2_fract interval = parm->parm.output.timeperframe;

	if (parm->type != V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE || !interval.numerator || !interval.denominator)
		return -EINVAL;
	session_of(file)->interval = interval;
	parm->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
	return 0;
}

static int subscribe_event(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_EOS)
		return v4l2_event_subscribe(fh, sub, 2, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

static int encoder_cmd(struct file *file, void *fh, struct v4l2_encoder_cmd *cmd)
{
	struct session *s = session_of(file);
	struct v4l2_m2m_ctx *m2m = s->fh.m2m_ctx;
	int ret = v4l2_m2m_ioctl_try_encoder_cmd(file, fh, cmd);

	if (ret < 0 || !vb2_is_streaming(&m2m->cap_q_ctx.q) || !vb2_is_streaming(&m2m->out_q_ctx.q))
		return ret;
	ret = v4l2_m2m_ioctl_encoder_cmd(file, fh, cmd);
	if (ret < 0)
		return ret;
	if (cmd->cmd == V4L2_ENC_CMD_STOP && v4l2_m2m_has_stopped(m2m))
		v4l2_event_queue_fh(&s->fh, &end_of_stream);
	if (cmd->cmd == V4L2_ENC_CMD_START && v4l2_m2m_has_stopped(m2m))
		vb2_clear_last_buffer_dequeued(&m2m->cap_q_ctx.q);
	return 0;
}

static const struct v4l2_ioctl_ops ioctl_ops = {
	.vidioc_querycap = querycap,
	.vidioc_enum_fmt_vid_cap = enum_fmt_coded,
	.vidioc_enum_fmt_vid_out = enum_fmt_raw,
	.vidioc_enum_framesizes = enum_framesizes,
	.vidioc_g_fmt_vid_cap_mplane = get_format,
	.vidioc_g_fmt_vid_out_mplane = get_format,
	.vidioc_try_fmt_vid_cap_mplane = try_format,
	.vidioc_try_fmt_vid_out_mplane = try_format,
	.vidioc_s_fmt_vid_cap_mplane = set_format,
	.vidioc_s_fmt_vid_out_mplane = set_format,
	.vidioc_g_selection = selection,
	.vidioc_s_selection = selection,
	.vidioc_g_parm = get_parm,
	.vidioc_s_parm = set_parm,
	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_qbuf = v4l2_m2m_ioctl_qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,
	.vidioc_encoder_cmd = encoder_cmd,
	.vidioc_try_encoder_cmd = v4l2_m2m_ioctl_try_encoder_cmd,
	.vidioc_subscribe_event = subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

/* ---- the node ---- */

static int open_node(struct file *file)
{
	struct device_state *dev = video_drvdata(file);
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int ret;

	if (!s)
		return -ENOMEM;
	s->dev = dev;
	s->raw = raw_formats;
	s->width = s->height = MIN_SIZE;
	s->stride = 64;
	s->raw_size = s->stride * s->height * 3 / 2;
	s->colour.colorspace = V4L2_COLORSPACE_REC709;
	s->interval = (struct v4l2_fract){ 1, 30 };
	if (mutex_lock_interruptible(&dev->lock)) {
		kfree(s);
		return -ERESTARTSYS;
	}
	s->number = ++dev->opened;
	v4l2_fh_init(&s->fh, video_devdata(file));
	file->private_data = &s->fh;
	s->being_made = true;
	ret = make_controls(s);
	s->being_made = false;
	if (!ret) {
		s->fh.m2m_ctx = v4l2_m2m_ctx_init(dev->m2m, s, init_queues);
		ret = PTR_ERR_OR_ZERO(s->fh.m2m_ctx);
	}
	mutex_unlock(&dev->lock);
	if (ret) {
		v4l2_ctrl_handler_free(&s->controls);
		v4l2_fh_exit(&s->fh);
		kfree(s);
		return ret;
	}
	v4l2_fh_add(&s->fh);
	return 0;
}

static int release_node(struct file *file)
{
	struct session *s = session_of(file);

	v4l2_fh_del(&s->fh);
	v4l2_fh_exit(&s->fh);
	mutex_lock(&s->dev->lock);
	v4l2_m2m_ctx_release(s->fh.m2m_ctx);
	mutex_unlock(&s->dev->lock);
	v4l2_ctrl_handler_free(&s->controls);
	kfree(s);
	return 0;
}

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = open_node,
	.release = release_node,
	.poll = v4l2_m2m_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = v4l2_m2m_fop_mmap,
};

static int vh264enc_probe(struct platform_device *pdev)
{
	struct device_state *dev = devm_kzalloc(&pdev->dev, sizeof(*dev), GFP_KERNEL);
	int ret;

	if (!dev)
		return -ENOMEM;
	mutex_init(&dev->lock);
	ret = v4l2_device_register(&pdev->dev, &dev->v4l2_dev);
	if (ret)
		return ret;
	dev->m2m = v4l2_m2m_init(&m2m_ops);
	if (IS_ERR(dev->m2m)) {
		v4l2_device_unregister(&dev->v4l2_dev);
		return PTR_ERR(dev->m2m);
	}
	dev->video = (struct video_device){
		.name = NAME "-encode",
		.vfl_dir = VFL_DIR_M2M,
		.fops = &file_ops,
		.ioctl_ops = &ioctl_ops,
		.release = video_device_release_empty,
		.lock = &dev->lock,
		.v4l2_dev = &dev->v4l2_dev,
		.device_caps = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING,
	};
	video_set_drvdata(&dev->video, dev);
	platform_set_drvdata(pdev, dev);
	dev->debugfs = debugfs_create_dir("vh264enc", NULL);
	debugfs_create_file("log", 0600, dev->debugfs, NULL, &log_fops);
	ret = video_register_device(&dev->video, VFL_TYPE_VIDEO, encode_video_nr);
	if (ret) {
		debugfs_remove_recursive(dev->debugfs);
		v4l2_m2m_release(dev->m2m);
		v4l2_device_unregister(&dev->v4l2_dev);
	}
	return ret;
}

static int vh264enc_remove(struct platform_device *pdev)
{
	struct device_state *dev = platform_get_drvdata(pdev);

	video_unregister_device(&dev->video);
	debugfs_remove_recursive(dev->debugfs);
	v4l2_m2m_release(dev->m2m);
	v4l2_device_unregister(&dev->v4l2_dev);
	return 0;
}

static struct platform_driver vh264enc_driver = {
	.probe = vh264enc_probe,
	.remove = vh264enc_remove,
	.driver = { .name = NAME },
};

static struct platform_device *vh264enc_device;

static int __init vh264enc_init(void)
{
	int ret = platform_driver_register(&vh264enc_driver);

	if (ret)
		return ret;
	vh264enc_device = platform_device_register_simple(NAME, PLATFORM_DEVID_NONE, NULL, 0);
	ret = PTR_ERR_OR_ZERO(vh264enc_device);
	if (ret)
		platform_driver_unregister(&vh264enc_driver);
	return ret;
}

static void __exit vh264enc_exit(void)
{
	platform_device_unregister(vh264enc_device);
	platform_driver_unregister(&vh264enc_driver);
}

module_init(vh264enc_init);
module_exit(vh264enc_exit);
