// SPDX-License-Identifier: GPL-2.0-only
/*
 * configfs attributes of a venet.  See docs/administration.md.
 *
 * All but @link can be changed only while the device is not enabled (-EBUSY).
 */
#define pr_fmt(fmt) "vbus_venet: " fmt

#include "venet.h"

static struct venet_host *item_venet(struct config_item *item)
{
	return to_venet(to_vbus_device(item));
}

static ssize_t venet_ifname_show(struct config_item *item, char *page)
{
	struct venet_host *venet = item_venet(item);
	ssize_t ret;

	mutex_lock(&vbus_config_lock);
	ret = sysfs_emit(page, "%s\n", venet->netdev ? venet->netdev->name :
						       venet->ifname);
	mutex_unlock(&vbus_config_lock);
	return ret;
}

static ssize_t venet_ifname_store(struct config_item *item, const char *page,
				  size_t count)
{
	struct venet_host *venet = item_venet(item);
	size_t len = strcspn(page, "\n");
	char name[IFNAMSIZ];
	int err = 0;

	if (len >= sizeof(name) || page[len + (page[len] == '\n')])
		return -EINVAL;
	memcpy(name, page, len);
	name[len] = '\0';
	if (!dev_valid_name(name))
		return -EINVAL;
	mutex_lock(&vbus_config_lock);
	if (venet->dev.enabled)
		err = -EBUSY;
	else
		strscpy(venet->ifname, name, sizeof(venet->ifname));
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

CONFIGFS_ATTR(venet_, ifname);

static ssize_t venet_store_mac(struct venet_host *venet, const char *page,
			       size_t count, u8 *to)
{
	size_t len = strcspn(page, "\n");
	u8 mac[ETH_ALEN];
	int err = 0;

	if (len != 3 * ETH_ALEN - 1 || !mac_pton(page, mac) ||
	    !is_valid_ether_addr(mac))
		return -EINVAL;
	mutex_lock(&vbus_config_lock);
	if (venet->dev.enabled)
		err = -EBUSY;
	else
		ether_addr_copy(to, mac);
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

static ssize_t venet_mac_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%pM\n", item_venet(item)->mac);
}

static ssize_t venet_mac_store(struct config_item *item, const char *page,
			       size_t count)
{
	struct venet_host *venet = item_venet(item);

	return venet_store_mac(venet, page, count, venet->mac);
}

CONFIGFS_ATTR(venet_, mac);

static ssize_t venet_host_mac_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%pM\n", item_venet(item)->host_mac);
}

static ssize_t venet_host_mac_store(struct config_item *item, const char *page,
				    size_t count)
{
	struct venet_host *venet = item_venet(item);

	return venet_store_mac(venet, page, count, venet->host_mac);
}

CONFIGFS_ATTR(venet_, host_mac);

static ssize_t venet_store_u32(struct venet_host *venet, const char *page,
			       size_t count, u32 *to, u32 min, u32 max)
{
	u32 value;
	int err;

	err = kstrtou32(page, 0, &value);
	if (err)
		return err;
	if (value < min || value > max)
		return -ERANGE;
	mutex_lock(&vbus_config_lock);
	if (venet->dev.enabled)
		err = -EBUSY;
	else
		*to = value;
	mutex_unlock(&vbus_config_lock);
	return err ?: count;
}

#define VENET_U32(name, min, max)					\
static ssize_t venet_##name##_show(struct config_item *item, char *page) \
{									\
	return sysfs_emit(page, "%u\n", item_venet(item)->name);	\
}									\
									\
static ssize_t venet_##name##_store(struct config_item *item,		\
				    const char *page, size_t count)	\
{									\
	struct venet_host *venet = item_venet(item);			\
									\
	return venet_store_u32(venet, page, count, &venet->name, min, max); \
}									\
									\
CONFIGFS_ATTR(venet_, name)

VENET_U32(mtu, VENET_MTU_MIN, VENET_MTU_MAX);
VENET_U32(pairs, 1, VENET_PAIRS_MAX);
VENET_U32(priority, 0, VBUS_PRIORITY_MAX);
VENET_U32(zerocopy_bytes, 0, VENET_FRAME_MAX);

static ssize_t venet_link_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(item_venet(item)->link));
}

static ssize_t venet_link_store(struct config_item *item, const char *page,
				size_t count)
{
	struct venet_host *venet = item_venet(item);
	bool link;
	int err;

	err = kstrtobool(page, &link);
	if (err)
		return err;
	mutex_lock(&vbus_config_lock);
	if (link != venet->link)
		venet_set_link(venet, link);
	mutex_unlock(&vbus_config_lock);
	return count;
}

CONFIGFS_ATTR(venet_, link);

struct configfs_attribute *venet_attrs[] = {
	&venet_attr_ifname,
	&venet_attr_mac,
	&venet_attr_host_mac,
	&venet_attr_mtu,
	&venet_attr_pairs,
	&venet_attr_priority,
	&venet_attr_zerocopy_bytes,
	&venet_attr_link,
	NULL,
};
